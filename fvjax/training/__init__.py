"""Training of TextureNet: `python -m fvjax.training --steps 6000 --out FILE.safetensors`.

The options of the shipped weights are `--seed 0 --steps 6000 --adversarial-epsilon 2`. Those of the
judge are `--seed 1 --steps 4500 --adversarial-epsilon 2 --widths 20 32 64 80 112`.
"""

from fvjax.training.batch_norm import fold_batch_norm as fold_batch_norm
from fvjax.training.batch_norm import population_statistics as population_statistics
from fvjax.training.label_granularity import classes_per_attribute as classes_per_attribute
from fvjax.training.trainer import Progress as Progress
from fvjax.training.trainer import State as State
from fvjax.training.trainer import Trainer as Trainer
from fvjax.training.trainer import accuracy as accuracy
