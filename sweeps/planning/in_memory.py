"""Networks in memory, which a config names by a hash: for sweeps that start from Python."""

from fvjax.models.model import Model
from fvjax.reference.activation_statistics import fingerprint

_models: dict[str, Model] = {}


def register(model: Model) -> str:
    """Return the key by which `model=memory` finds a network in this process."""
    key = fingerprint(model)[:16]
    _models[key] = model
    return key


def find(key: str) -> Model:
    """Return a registered network.

    Raises:
        ValueError: no network of this process has that key.
    """
    if key not in _models:
        raise ValueError(
            f"no network in memory has model.key={key}: call sweeps.run(..., model=model) from "
            "Python, or choose another model"
        )
    return _models[key]
