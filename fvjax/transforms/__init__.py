"""Random, differentiable transforms `transform(key, image) -> image` of the same shape."""

from fvjax.transforms.chain import Chain as Chain
from fvjax.transforms.chain import Identity as Identity
from fvjax.transforms.jitter import Jitter as Jitter
from fvjax.transforms.random_background import RandomBackground as RandomBackground
from fvjax.transforms.standard import Standard as Standard
from fvjax.transforms.transform import Transform as Transform
