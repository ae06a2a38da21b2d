"""Training of TextureNet: `python -m fvjax.training --steps 16000 --out FILE.safetensors`."""

from fvjax.training.normalised import fold as fold
from fvjax.training.normalised import population as population
from fvjax.training.trainer import Progress as Progress
from fvjax.training.trainer import State as State
from fvjax.training.trainer import Trainer as Trainer
from fvjax.training.trainer import accuracy as accuracy
