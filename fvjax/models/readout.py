"""The layer whose channels are a network's classes."""

import numpy as np
from jaxtyping import Bool, Float

from fvjax.models.model import Model


def readout(model: Model) -> str:
    """Return the layer `logits`, or the last layer of the main path that has channels alone.

    Raises:
        ValueError: a network that ends in an image or in tokens.
    """
    shapes, main = model.layers, set(model.main_layers)
    if "logits" in shapes:
        return "logits"
    flat = [name for name, shape in shapes.items() if len(shape) == 1 and name in main]
    named = [name for name in flat if shapes[name] == (len(model.classes),)]
    if not flat:
        raise ValueError(
            "the network has no readout: no layer of its main path has channels alone, so choose "
            "a channel of another layer (direction=channel)"
        )
    return (named or flat)[-1]


def is_readout(model: Model, layer: str) -> bool:
    """Return whether a layer's channels are the classes: its own readout, or as many channels."""
    shape = model.layers[layer]
    return shape == (len(model.classes),) or (len(shape) == 1 and layer == readout(model))


def head_of(
    model: Model, layer: str, vector: Float[np.ndarray, "channels"]
) -> Bool[np.ndarray, "channels"]:
    """Return which channels of a readout belong to the head that a direction reads.

    A head is what precedes a class's name, as in "texture=stripes"; classes without one are all of
    one head.

    Raises:
        ValueError: the layer is no readout; the direction reads several heads.
    """
    if not is_readout(model, layer):
        raise ValueError(f"layer {layer!r} is no readout: its channels are not the classes")
    if model.layers[layer] != (len(model.classes),):
        return np.ones(model.layers[layer], bool)
    heads = np.array([name.rpartition("=")[0] for name in model.classes])
    read = sorted(set(heads[np.asarray(vector) != 0]))
    if len(read) != 1:
        raise ValueError(f"the direction reads several heads of layer {layer!r}: {', '.join(read)}")
    mask: np.ndarray = heads == read[0]
    return mask
