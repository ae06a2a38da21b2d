"""Feature visualization in JAX in which objectives, hyperparameters and directions are data."""

from fvjax.direction import Direction as Direction
from fvjax.direction import FromImage as FromImage
from fvjax.metrics import measure as measure
from fvjax.models import Model as Model
from fvjax.models import load as load
from fvjax.objective import AtCenter as AtCenter
from fvjax.objective import Objective as Objective
from fvjax.objective import Product as Product
from fvjax.objective import Scaled as Scaled
from fvjax.objective import Sum as Sum
from fvjax.parameterizations import Fourier as Fourier
from fvjax.parameterizations import Pixels as Pixels
from fvjax.penalties import ActivationNorm as ActivationNorm
from fvjax.penalties import TotalVariation as TotalVariation
from fvjax.recipe import Job as Job
from fvjax.recipe import Recipe as Recipe
from fvjax.scores import Cosine as Cosine
from fvjax.scores import DotCosine as DotCosine
from fvjax.scores import Inversion as Inversion
from fvjax.scores import OrthogonalNorm as OrthogonalNorm
from fvjax.transforms import Chain as Chain
from fvjax.transforms import Identity as Identity
from fvjax.transforms import Jitter as Jitter
from fvjax.transforms import Standard as Standard
from fvjax.visualize import Result as Result
from fvjax.visualize import visualize as visualize
