"""Spaces: transforms of a layer's activations."""

from fvjax.models.transformed import with_affine_layer as with_affine_layer
from fvjax.models.transformed import with_normalized_layer as with_normalized_layer
from fvjax.spaces.choices import Atlas as Atlas
from fvjax.spaces.choices import Linear as Linear
from fvjax.spaces.choices import Plain as Plain
from fvjax.spaces.choices import Space as Space
from fvjax.spaces.choices import Whiten as Whiten
from fvjax.spaces.choices import whiten as whiten
from fvjax.spaces.head import Head as Head
from fvjax.spaces.layernorm import LayerNorm as LayerNorm
from fvjax.spaces.whitened_layer import with_whitened_layer as with_whitened_layer
