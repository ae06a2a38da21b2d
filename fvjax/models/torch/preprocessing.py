"""Mean and standard deviation of a network's input, as its library defines them."""

import importlib
from collections.abc import Sequence
from typing import Any

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def find_statistics(module: Any) -> Statistics | None:
    """Return the mean and standard deviation of each channel of RGB in [0, 1], if known.

    timm keeps them in `pretrained_cfg`; transformers in the image processor of the checkpoint that
    the module was loaded from. torchvision keeps them beside the weights: see `of_transforms`.
    """
    config = getattr(module, "pretrained_cfg", None)
    if (
        isinstance(config, dict)
        and config.get("mean") is not None
        and config.get("std") is not None
    ):
        return as_statistics(config["mean"], config["std"])
    name = getattr(getattr(module, "config", None), "_name_or_path", "")
    if name and type(module).__module__.split(".")[0] == "transformers":
        return _of_processor(name)
    return None


def _of_processor(name: str) -> Statistics | None:
    transformers = importlib.import_module("transformers")
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError, ImportError):  # the checkpoint has none, or it cannot be read
        return None
    mean, std = (getattr(processor, key, None) for key in ("image_mean", "image_std"))
    return None if mean is None or std is None else as_statistics(mean, std)


def of_transforms(weights: Any) -> Statistics | None:
    """Return mean and standard deviation of a torchvision weights enum."""
    transforms = weights.transforms()
    mean, std = (getattr(transforms, key, None) for key in ("mean", "std"))
    return None if mean is None or std is None else as_statistics(mean, std)


def as_statistics(mean: Sequence[float], std: Sequence[float]) -> Statistics:
    """Return mean and standard deviation as checked Python numbers.

    Raises:
        ValueError: other than one (gray) or three (RGB) numbers of each, or a std that is not
            positive.
    """
    means, stds = ([float(v) for v in _listed(values)] for values in (mean, std))
    if len(means) != len(stds) or len(means) not in (1, 3):
        raise ValueError(
            f"mean and std must have three numbers each, for red, green and blue, or one each for "
            f"a gray network, got {len(means)} and {len(stds)}"
        )
    if min(stds) <= 0:
        raise ValueError(f"std must be positive, got {stds}")
    return tuple(means), tuple(stds)


def _listed(values: Any) -> list[Any]:
    return [values] if isinstance(values, (int, float)) else list(values)
