"""lucent 0.1.8: stock as its user gets it, or tuned; patched just enough to run today.

Three patches, none in the loop that is timed: kornia moved two functions since lucent was written;
torchvision, which lucent imports, is repaired beside PyTorch's CPU build; weights are random, since
they would be downloaded.
"""

import contextlib
import sys
import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import kornia
import numpy as np
import torch
import torch.nn.functional as F
from work import THREADS, Setting, Timing, awakening

torch.set_num_threads(THREADS)
kornia.get_rotation_matrix2d = kornia.geometry.transform.get_rotation_matrix2d
kornia.warp_affine = kornia.geometry.transform.warp_affine
sys.path.append(str(Path(__file__).parents[1] / "science"))
from zoo_networks import _torchvision  # noqa: E402

_torchvision()
with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)  # lucent's `x is 0`, on its first import
    from lucent.modelzoo import inceptionv1
    from lucent.optvis import objectives, param, render


@lru_cache
def network(variant: str, layer: str) -> torch.nn.Module:
    """lucent's InceptionV1 with random weights (He's, and the units of `layer` awake).

    "tuned" has plain ReLU and no weight gradients.
    """
    tuned = variant == "tuned"
    torch.manual_seed(0)
    model = inceptionv1(pretrained=False, redirected_ReLU=not tuned).eval()
    for name, module in model.named_children():
        if isinstance(module, torch.nn.Conv2d):
            inputs = module.weight[0].numel()
            awake = name.startswith(layer) and "bottleneck" not in name
            weight = torch.randn_like(module.weight)
            weight += (awakening(inputs) if awake else 0) - weight.mean((1, 2, 3), keepdim=True)
            module.weight.data = weight * (2 / inputs) ** 0.5
            torch.nn.init.normal_(module.bias, std=0.1)
    return model.requires_grad_(False) if tuned else model


def ascend(
    model: torch.nn.Module,
    objective: Any,
    steps: int,
    batch: int = 1,
    size: int = 128,
    **options: Any,
) -> Timing:
    """lucent's loop, by default on its 128-pixel image; scores are of images untransformed."""
    parameters, image = param.image(size, batch=batch)
    first = image().detach()
    calls: list[None] = []
    begin = time.perf_counter()
    with warnings.catch_warnings():
        # At 128 pixels the classifier above the layer cannot run; lucent warns and goes on.
        warnings.filterwarnings("ignore", "Some layers could not be computed")
        (last,) = render.render_vis(
            model,
            objectives.Objective(_counted(objective, calls)),
            lambda: (parameters, image),
            thresholds=(steps,),
            progress=False,
            show_image=False,
            **options,
        )
    seconds = time.perf_counter() - begin
    pixels = options.get("fixed_image_size", 224)
    final = torch.from_numpy(last).permute(0, 3, 1, 2)
    before, after = (score(model, objective, x, pixels) for x in (first, final))
    return Timing(seconds, len(calls), before, after)


def _counted(objective: Any, calls: list[None]) -> Callable[[Any], torch.Tensor]:
    def loss(activations: Any) -> torch.Tensor:
        calls.append(None)
        return objective(activations)

    return loss


def score(model: torch.nn.Module, objective: Any, image: torch.Tensor, pixels: int) -> float:
    """Return the objective of untransformed images."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
        for name, module in model.named_children()
    ]
    image = F.interpolate(image, size=(pixels, pixels), mode="bilinear", align_corners=True)
    with torch.no_grad(), contextlib.suppress(RuntimeError):
        model(image * 255 - 117)
    for hook in hooks:
        hook.remove()
    return -float(objective(seen.__getitem__))


def forget(model: torch.nn.Module) -> None:
    """Take away the hooks that lucent leaves on the model at every call."""
    for module in model.modules():
        module._forward_hooks.clear()


def warm(setting: Setting, variant: str) -> float:
    """Run two steps; seconds."""
    return run(setting.shorter(setting.size, 2, setting.layer), variant).seconds


def run(setting: Setting, variant: str) -> Timing:
    """One round."""
    # Stock lucent makes 128 pixels and upsamples them to 224 for the network.
    sizes: dict[str, Any] = {}
    if variant == "tuned" or setting.size != 224:
        sizes = {"fixed_image_size": setting.size, "size": setting.size}
    channels = [objectives.channel(setting.layer, i, batch=i) for i in range(setting.batch)]
    torch.manual_seed(0)
    np.random.seed(0)
    objective = objectives.Objective.sum(channels)
    timing = ascend(
        network(variant, setting.layer), objective, setting.steps, setting.batch, **sizes
    )
    forget(network(variant, setting.layer))
    return timing


def flops(setting: Setting) -> float:
    """Multiplications and additions of one image forward, through the whole network as it runs."""
    from torch.utils.flop_counter import FlopCounterMode

    image = torch.zeros(1, 3, setting.size, setting.size)
    # lucent ignores the error too: at 128 pixels there is nothing left to pool at the end.
    counter, ignored = FlopCounterMode(display=False), contextlib.suppress(RuntimeError)
    with counter, torch.no_grad(), ignored:
        network("tuned", setting.layer)(image)
    return float(counter.get_total_flops())


def versions() -> dict[str, str]:
    """Of what runs here."""
    import lucent

    return {"lucent": lucent.__version__, "kornia": kornia.__version__}
