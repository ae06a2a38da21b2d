"""PyTorch networks by name: from a function, timm or transformers."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fvjax.data.arrays import read_arrays
from fvjax.models.class_names import imagenet_classes
from fvjax.models.model import Model
from fvjax.models.pytorch_file import read_state_dict
from fvjax.models.torch.importer import from_torch
from fvjax.models.torch.preprocessing import of_transforms
from fvjax.models.weights import check_names_and_shapes

Size = int | tuple[int, int]


def from_factory(
    factory: str | Callable[..., Any],
    input_size: Size,
    *,
    arguments: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """Import the `torch.nn.Module` that `factory(**arguments)` returns.

    Args:
        factory: a function or its path, such as torchvision.models.resnet50.
        input_size: pixels of the images, as `image_size` of `from_torch`.
        arguments: keyword arguments; torchvision's `weights` also supply mean, std and classes.
        checkpoint: a file of PyTorch or a .safetensors file with the module's weights, all of them.
        mean: see `from_torch`.
        std: see `from_torch`.
    """
    function, keywords = resolve(factory), dict(arguments or {})
    try:
        module = function(**keywords)
    except TypeError as error:
        names = ", ".join(keywords) or "no argument"
        raise ValueError(f"{factory} cannot be called with {names}: {error}") from error
    if checkpoint is not None:
        load_checkpoint(module, checkpoint)
    weights = _torchvision_weights(function, keywords.get("weights"))
    if weights is not None and mean is None and std is None:
        mean, std = of_transforms(weights) or (None, None)
    model = from_torch(module, input_size, mean=mean, std=std)
    return with_classes(model, () if weights is None else weights.meta.get("categories", ()))


def from_timm(
    name: str,
    input_size: Size,
    *,
    arguments: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """Import `timm.create_model(name, **arguments)`, pretrained unless a checkpoint is given.

    A vision transformer whose images have a fixed size is made for `input_size`.
    """
    timm = _package("timm")
    keywords = {"pretrained": checkpoint is None, **(arguments or {})}
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if config is not None and config.fixed_input_size:
        keywords.setdefault("img_size", input_size)
    try:
        module = timm.create_model(name, **keywords)
    except (RuntimeError, TypeError) as error:  # an unknown name or argument
        raise ValueError(f"timm cannot make {name}: {str(error).splitlines()[0]}") from error
    if checkpoint is not None:
        load_checkpoint(module, checkpoint)
    model = from_torch(module, input_size, mean=mean, std=std)
    tag = str(module.pretrained_cfg.get("tag", ""))  # such as a1_in1k
    has_imagenet_classes = checkpoint is None and keywords["pretrained"] and tag.endswith("in1k")
    return with_classes(model, imagenet_classes() if has_imagenet_classes else ())


def from_transformers(
    name: str,
    input_size: Size,
    *,
    auto_class: str = "AutoModel",
    arguments: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """Import `transformers.<auto_class>.from_pretrained(name, **arguments)`.

    Of a network of images and texts, the vision part is taken.

    Args:
        name: a name on the hub, or a folder. With a checkpoint, only its config is read.
        input_size: pixels of the images, as `image_size` of `from_torch`.
        auto_class: AutoModel, AutoModelForImageClassification, ...
        arguments: those of `from_pretrained`, or with a checkpoint those of `from_config`.
        checkpoint: see `from_factory`.
        mean: see `from_torch`.
        std: see `from_torch`.
    """
    transformers = _package("transformers")
    auto_model = resolve(f"transformers.{auto_class}")
    try:
        if checkpoint is None:
            module = auto_model.from_pretrained(name, **(arguments or {}))
        else:
            config = transformers.AutoConfig.from_pretrained(name)
            module = auto_model.from_config(config, **(arguments or {}))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"transformers cannot load {name}: {reason}") from error
    if checkpoint is not None:
        load_checkpoint(module, checkpoint)
    vision = getattr(module, "vision_model", module)
    if vision is not module and mean is None and std is None:
        vision.config._name_or_path = name  # whose image processor knows mean and std
    return from_torch(vision, input_size, mean=mean, std=std)


def with_classes(model: Model, names: Sequence[str]) -> Model:
    """Return the model with class names, if the readout has as many channels."""
    if not names or (len(names),) not in [model.layers[name] for name in model.main_layers]:
        return model
    return model.replace(classes=tuple(names))  # type: ignore[attr-defined, no-any-return]


def resolve(path: str | Callable[..., Any]) -> Any:
    """Return the object at a dotted path.

    Raises:
        ValueError: a part of the path is missing; the message names it.
    """
    if not isinstance(path, str):
        return path
    parts = path.split(".")
    if len(parts) < 2 or not all(parts):
        raise ValueError(f"factory must be a path such as torchvision.models.resnet50, got {path}")
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            target: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not module.startswith(error.name):
                raise ValueError(f"{module} cannot be imported: {error}") from error
            continue
        except (ImportError, RuntimeError) as error:
            raise ValueError(f"{module} cannot be imported: {error}") from error
        for name in parts[end:]:
            if not hasattr(target, name):
                raise ValueError(f"{module} has no {name}")
            target = getattr(target, name)
        return target
    raise ValueError(f"there is no package {parts[0]} in this environment (factory={path})")


def load_checkpoint(module: Any, path: str | Path) -> None:
    """Load all weights of a module from a file, strictly; nothing is unpickled.

    Raises:
        ValueError: a missing, unknown or misshapen tensor; the message names the first.
    """
    import torch

    if Path(path).suffix in (".safetensors", ".npz"):
        arrays = read_arrays(path)
    else:
        arrays = read_state_dict(path)
    if arrays and all(name.startswith("module.") for name in arrays):  # of DataParallel
        arrays = {name.removeprefix("module."): array for name, array in arrays.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    # A buffer may be infinite, as in a mask of attention, so numbers are not checked.
    check_names_and_shapes(path, arrays, expected)
    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"{name} cannot be imported: {error}") from error


def _torchvision_weights(function: Any, name: Any) -> Any:
    """Return the weights enum among the arguments of a torchvision factory."""
    if name is None or not str(getattr(function, "__module__", "")).startswith("torchvision."):
        return None
    if not isinstance(name, str):
        return name
    models = importlib.import_module("torchvision.models")
    if "." in name:  # ResNet50_Weights.DEFAULT
        return models.get_weight(name)
    return models.get_model_weights(function.__name__)[name]
