"""Random, differentiable transforms `transform(key, image) -> image`, never of a larger shape."""

from fvjax.transforms.chain import Chain as Chain
from fvjax.transforms.chain import Identity as Identity
from fvjax.transforms.jitter import Jitter as Jitter
from fvjax.transforms.random_background import RandomBackground as RandomBackground
from fvjax.transforms.random_crop import RandomCrop as RandomCrop
from fvjax.transforms.standard import Standard as Standard
from fvjax.transforms.transform import Transform as Transform
