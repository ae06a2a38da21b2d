"""Depthwise convolution, ours against XLA's grouped one: forward and input gradient, in a scan.

The layers are EfficientNet-Lite0's, one of each shape.
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fvjax.models.efficientnet_lite0 import same_padding
from fvjax.models.efficientnet_lite0_blocks import BLOCKS
from fvjax.ops.depthwise import depthwise
from fvjax.ops.winograd import Padding

SCAN = 8  # repetitions inside one program
Convolution = Callable[[jax.Array, jax.Array, int, Padding], jax.Array]


def grouped(x: jax.Array, kernel: jax.Array, stride: int, padding: Padding) -> jax.Array:
    """XLA's own."""
    return lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def seconds(convolve: Convolution, x: jax.Array, kernel: jax.Array, stride: int) -> float:
    """Least seconds of one step of three rounds."""
    padding = same_padding(x.shape[1:3], kernel.shape[0], stride)

    def step(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return x + 1e-3 * jax.grad(lambda x: jnp.sum(convolve(x, kernel, stride, padding) ** 2))(x)

    loop = jax.jit(lambda x, k: lax.scan(lambda x, _: (step(x, k), None), x, None, SCAN)[0])
    jax.block_until_ready(loop(x, kernel))
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        jax.block_until_ready(loop(x, kernel))
        times.append((time.perf_counter() - begin) / SCAN)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-size", type=int, default=128, help="pixels")
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    side, totals, seen = arguments.image_size // 2, np.zeros(2), set()
    for block in BLOCKS:
        shape = (side, block.width, block.kernel, block.stride)
        size = (arguments.batch, side, side, block.width)
        side = -(-side // block.stride)
        if shape in seen:
            continue
        seen.add(shape)
        draw = np.random.default_rng(0)
        x = jnp.asarray(draw.normal(size=size), jnp.float32)
        drawn = draw.normal(size=(block.kernel, block.kernel, block.width)) / block.kernel**2
        kernel = jnp.asarray(drawn, jnp.float32)
        ours, theirs = (seconds(f, x, kernel, block.stride) for f in (depthwise, grouped))
        totals += ours, theirs
        print(
            f"{block.name:12s} {shape}: {1e3 * ours:6.2f} ms, XLA {1e3 * theirs:6.2f} ms, "
            f"ratio {theirs / ours:.1f}",
            flush=True,
        )
    print(f"all: ratio {totals[1] / totals[0]:.1f}")


if __name__ == "__main__":
    main()
