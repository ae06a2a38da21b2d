"""PyTorch's side on the CPU: the step of torch_ascent, called in a loop."""

import time
from typing import Any

import torch
from torch_ascent import ascent
from torch_networks import forward_of, googlenet, googlenet_weights, normalisation
from work import THREADS, Setting, Timing, pattern, timing

torch.set_num_threads(THREADS)


def ascend(setting: Setting, variant: str, steps: int) -> tuple[float, ...]:
    """Optimise the batch from noise; the scores."""
    step = ascent(setting, variant, "cpu")
    return tuple(float(step()) for _ in range(steps))


def warm(setting: Setting, variant: str) -> float:
    """Run two steps, the first of which compiles where that was asked for; seconds."""
    begin = time.perf_counter()
    ascend(setting, variant, 2)
    return time.perf_counter() - begin


def run(setting: Setting, variant: str) -> Timing:
    """One round."""
    begin = time.perf_counter()
    scores = ascend(setting, variant, setting.steps)
    return timing(time.perf_counter() - begin, scores)


def means(setting: Setting) -> list[float]:
    """Return the mean of each channel of the layer over the fixed image."""
    layer = forward_of(setting.network, setting.layer, setting.size, "float32", "cpu")
    image = torch.from_numpy(pattern(setting.size)).permute(2, 0, 1)[None]
    with torch.no_grad():
        y = layer(normalisation(setting.network, "cpu")(image))
    return y.reshape(-1, y.shape[-1]).mean(0).tolist()


def flops(setting: Setting) -> float:
    """Multiplications and additions of convolutions and products for one image, forward."""
    from torch.utils.flop_counter import FlopCounterMode

    layer, image = setting.layer, torch.zeros(1, 3, setting.size, setting.size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if setting.network == "googlenet":  # without the normalisation, as on the other sides
            googlenet(googlenet_weights(layer), lambda x: x, layer, image)
        else:
            forward_of(setting.network, layer, setting.size, "float32", "cpu")(image)
    return float(counter.get_total_flops())


def versions() -> dict[str, Any]:
    """Of what runs here."""
    return {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}
