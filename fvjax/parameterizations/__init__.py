"""Image parameterizations: `init(key) -> params`, `decode(params) -> image` in [0, 1]."""

from fvjax.parameterizations.constrained import Constrained as Constrained
from fvjax.parameterizations.cppn import CPPN as CPPN
from fvjax.parameterizations.fourier import Fourier as Fourier
from fvjax.parameterizations.generator import Generator as Generator
from fvjax.parameterizations.gratings import Gratings as Gratings
from fvjax.parameterizations.laplacian import Laplacian as Laplacian
from fvjax.parameterizations.maco import Maco as Maco
from fvjax.parameterizations.maco import spectrum as spectrum
from fvjax.parameterizations.parameterization import Parameterization as Parameterization
from fvjax.parameterizations.parameterization import learning_rate_of as learning_rate_of
from fvjax.parameterizations.pixels import Pixels as Pixels
from fvjax.parameterizations.transparent import Transparent as Transparent
