"""The structure of EfficientNet-Lite0: its blocks, and the widths at its ends."""

from typing import NamedTuple

STEM, HEAD, CLASSES = 32, 1280, 1000


class Block(NamedTuple):
    """An inverted residual: widen, one convolution per channel, narrow."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    widening: int

    @property
    def width(self) -> int:
        """Channels of the depthwise convolution."""
        return self.inputs * self.widening


def _blocks() -> tuple[Block, ...]:
    blocks, inputs = [], STEM
    stages = [  # blocks, channels, kernel, stride of the first; Tan and Le 2019, table 1
        *((1, 16, 3, 1), (2, 24, 3, 2), (2, 40, 5, 2), (3, 80, 3, 2)),
        *((3, 112, 5, 1), (4, 192, 5, 2), (1, 320, 3, 1)),
    ]
    for stage, (count, outputs, kernel, stride) in enumerate(stages):
        for place in range(count):
            step, widening = 1 if place else stride, 6 if stage else 1
            blocks.append(Block(f"blocks.{stage}.{place}", inputs, outputs, kernel, step, widening))
            inputs = outputs
    return tuple(blocks)


BLOCKS = _blocks()
