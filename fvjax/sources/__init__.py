"""Sources of directions: `source.resolve(setup)` returns a DirectionInfo."""

from fvjax.sources.activation_atlas import AtlasCell as AtlasCell
from fvjax.sources.contrast import Contrast as Contrast
from fvjax.sources.direction_info import DirectionInfo as DirectionInfo
from fvjax.sources.direction_info import DirectionSource as DirectionSource
from fvjax.sources.direction_info import Kind as Kind
from fvjax.sources.image import Generated as Generated
from fvjax.sources.image import Photo as Photo
from fvjax.sources.interpolate import Interpolate as Interpolate
from fvjax.sources.interpolate import InterpolationPath as InterpolationPath
from fvjax.sources.planted import Dual as Dual
from fvjax.sources.planted import Feature as Feature
from fvjax.sources.planted import FeatureImage as FeatureImage
from fvjax.sources.preferred_label import PreferredLabel as PreferredLabel
from fvjax.sources.reference import Centroid as Centroid
from fvjax.sources.reference import Factor as Factor
from fvjax.sources.reference import NearestMean as NearestMean
from fvjax.sources.setup import Setup as Setup
from fvjax.sources.top_channels import TopChannels as TopChannels
from fvjax.sources.units import Channel as Channel
from fvjax.sources.units import Logit as Logit
from fvjax.sources.units import Random as Random
from fvjax.sources.vector import Vector as Vector
