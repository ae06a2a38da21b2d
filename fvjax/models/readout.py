"""The layer whose channels are a network's classes."""

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
