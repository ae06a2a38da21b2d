"""Models: one image in, a dict of activations by layer name out."""

from fvjax.models.flax_modules import Linen as Linen
from fvjax.models.flax_modules import from_linen as from_linen
from fvjax.models.flax_modules import from_nnx as from_nnx
from fvjax.models.keras import from_keras as from_keras
from fvjax.models.model import Model as Model
from fvjax.models.model import Record as Record
from fvjax.models.torch import from_torch as from_torch
from fvjax.models.torch import save as save
from fvjax.models.zoo import load as load
