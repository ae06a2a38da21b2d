"""Image parameterizations: `init(key) -> params`, `decode(params) -> image` in [0, 1]."""

from fvjax.parameterizations.fourier import Fourier as Fourier
from fvjax.parameterizations.parameterization import Parameterization as Parameterization
from fvjax.parameterizations.pixels import Pixels as Pixels
