"""Training of TextureNet: `python -m fvjax.training --steps 6000 --out FILE.safetensors`.

The shipped weights: `--seed 0 --steps 6000 --adversary 2`; the judge's: `--seed 1 --steps 4500
--adversary 2 --widths 20 32 64 80 112`.
"""

from fvjax.training.batch_norm import fold as fold
from fvjax.training.batch_norm import population as population
from fvjax.training.label_granularity import curriculum as curriculum
from fvjax.training.trainer import Progress as Progress
from fvjax.training.trainer import State as State
from fvjax.training.trainer import Trainer as Trainer
from fvjax.training.trainer import accuracy as accuracy
