"""Feature visualization in JAX in which objectives, hyperparameters and directions are data."""

from importlib.metadata import version as _version

from fvjax.direction import Direction as Direction
from fvjax.direction import FromImage as FromImage
from fvjax.direction import Interpolation as Interpolation
from fvjax.direction import activations_at as activations_at
from fvjax.metrics.measure import measure as measure
from fvjax.models import Model as Model
from fvjax.models import from_keras as from_keras
from fvjax.models import from_torch as from_torch
from fvjax.models import load as load
from fvjax.models import save as save
from fvjax.objectives.batch_penalties import Alignment as Alignment
from fvjax.objectives.batch_penalties import Diversity as Diversity
from fvjax.objectives.objective import Objective as Objective
from fvjax.objectives.objective import Product as Product
from fvjax.objectives.objective import Scaled as Scaled
from fvjax.objectives.objective import Sum as Sum
from fvjax.objectives.penalties import ActivationNorm as ActivationNorm
from fvjax.objectives.penalties import Balanced as Balanced
from fvjax.objectives.penalties import HighFrequency as HighFrequency
from fvjax.objectives.penalties import IrrelevantNorm as IrrelevantNorm
from fvjax.objectives.penalties import TotalVariation as TotalVariation
from fvjax.objectives.similarity import Cosine as Cosine
from fvjax.objectives.similarity import Differential as Differential
from fvjax.objectives.similarity import Dot as Dot
from fvjax.objectives.similarity import DotCosine as DotCosine
from fvjax.objectives.similarity import Inversion as Inversion
from fvjax.objectives.similarity import LucidAtlas as LucidAtlas
from fvjax.objectives.similarity import OrthogonalNorm as OrthogonalNorm
from fvjax.optimization.make_job import job as job
from fvjax.optimization.recipe import Job as Job
from fvjax.optimization.recipe import Recipe as Recipe
from fvjax.optimization.result import Result as Result
from fvjax.optimization.segment import segment as segment
from fvjax.optimization.visualize import visualize as visualize
from fvjax.optimization.visualize_many import visualize_many as visualize_many
from fvjax.parameterizations import CPPN as CPPN
from fvjax.parameterizations import Fourier as Fourier
from fvjax.parameterizations import Laplacian as Laplacian
from fvjax.parameterizations import Maco as Maco
from fvjax.parameterizations import Pixels as Pixels
from fvjax.parameterizations import spectrum as spectrum
from fvjax.spaces import with_affine_layer as with_affine_layer
from fvjax.spaces import with_whitened_layer as with_whitened_layer
from fvjax.transforms import Chain as Chain
from fvjax.transforms import Identity as Identity
from fvjax.transforms import Jitter as Jitter
from fvjax.transforms import Standard as Standard

__version__ = _version("fvjax")
