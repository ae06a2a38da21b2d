"""Networks of torchvision, timm and transformers, and an own module, with random weights."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is downloaded


def _torchvision() -> Any:
    """torchvision, beside PyTorch's CPU build too, where two operators of its C++ part are missing.

    timm imports it as well. No network of the table calls these operators.
    """
    try:
        import torchvision
    except RuntimeError:
        for name in [n for n in sys.modules if n.startswith("torchvision")]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)
        import torchvision
    return torchvision


KEPT: list[Any] = []  # a library's definitions end with it


def _tv(name: str, **arguments: Any) -> nn.Module:
    return _torchvision().models.get_model(name, weights=None, **arguments)


def timm_network(name: str, **arguments: Any) -> nn.Module:
    """Return a network of timm with random weights."""
    _torchvision()
    import timm

    return timm.create_model(name, pretrained=False, **arguments)


def _transformers(model: str, config: str, **arguments: Any) -> nn.Module:
    _torchvision()
    import transformers

    return getattr(transformers, model)(getattr(transformers, config)(**arguments))


class Block(nn.Module):
    """A residual block that writes in place."""

    def __init__(self, channels: int) -> None:
        """Make the parts."""
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout2d(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the input in place."""
        y = self.bn(self.conv(self.drop(x)))
        y += x
        return F.relu_(y * 1)


class Own(nn.Module):
    """What a research module does: functional operators, in-place writes, attention, a dict out."""

    def __init__(self) -> None:
        """Make the parts."""
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 5, 2, 2)
        self.blocks = nn.ModuleList(Block(16) for _ in range(3))
        self.attend = nn.MultiheadAttention(16, 4, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(32, 7)
        self.register_buffer("table", torch.randn(64, 16), persistent=False)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits and features."""
        if x.shape[-1] < 32:  # shapes may decide
            x = F.interpolate(x, size=(32, 32), mode="bilinear")
        x = F.max_pool2d(F.leaky_relu(self.stem(x), 0.1), 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        count = x.shape[-1] * x.shape[-2]
        table = self.table.T[None].to(x.dtype)
        tokens = x.flatten(2).mT + F.interpolate(table, size=count, mode="linear").mT
        tokens = tokens.clone()
        tokens[:, 0] = tokens[:, 0] * self.scale  # a write into a view
        mixed, _ = self.attend(*[self.norm(tokens)] * 3, need_weights=False)
        tokens = tokens + mixed
        pooled = torch.cat([tokens.mean(1), tokens.amax(1)], -1)
        return {"logits": self.head(F.dropout(pooled, 0.5, self.training)), "features": tokens}


_FOUR = {"num_hidden_layers": 4}
NETWORKS: Mapping[str, tuple[Callable[[], nn.Module], int]] = {  # and the side of their images
    **{
        f"torchvision {name}": (partial(_tv, name, **arguments), size)
        for name, size, arguments in (
            ("resnet18", 96, {}),
            ("resnet50", 96, {}),
            ("vgg16", 96, {}),
            ("googlenet", 96, {"init_weights": False, "aux_logits": False}),
            ("inception_v3", 128, {"init_weights": False, "aux_logits": False}),
            ("densenet121", 96, {}),
            ("mobilenet_v3_large", 96, {}),
            ("shufflenet_v2_x1_0", 96, {}),
            ("efficientnet_b0", 96, {}),
            ("regnet_y_400mf", 96, {}),
            ("convnext_tiny", 96, {}),
            ("vit_b_16", 96, {"image_size": 96}),
            ("swin_t", 96, {}),
            ("swin_v2_t", 96, {}),
            ("maxvit_t", 224, {"input_size": (224, 224)}),
        )
    },
    **{
        f"timm {name}": (partial(timm_network, name, **arguments), size)
        for name, size, arguments in (
            ("convnextv2_tiny", 96, {}),
            ("vit_small_patch14_reg4_dinov2", 98, {"img_size": 98}),
            ("vit_small_patch16_dinov3", 96, {"img_size": 96}),
            ("vit_base_patch16_siglip_224", 96, {"img_size": 96}),
            ("eva02_tiny_patch14_224", 98, {"img_size": 98}),
            ("mixer_s16_224", 224, {}),
            ("resnetv2_50x1_bit", 96, {}),
            ("nfnet_f0", 96, {}),
            ("resnet50_clip", 96, {"img_size": 96}),
            ("tf_efficientnet_lite0", 96, {}),
            ("swin_tiny_patch4_window7_224", 224, {}),
            ("fastvit_t8", 96, {}),
            ("coatnet_0_rw_224", 224, {}),
            ("beit_base_patch16_224", 224, {}),
        )
    },
    **{
        f"transformers {model}": (partial(_transformers, model, config, **arguments), size)
        for model, config, size, arguments in (
            ("CLIPVisionModel", "CLIPVisionConfig", 224, _FOUR),
            ("SiglipVisionModel", "SiglipVisionConfig", 224, _FOUR),
            ("Dinov2Model", "Dinov2Config", 224, {**_FOUR, "image_size": 224}),
            ("ViTForImageClassification", "ViTConfig", 224, _FOUR),
            ("ResNetForImageClassification", "ResNetConfig", 96, {}),
            ("ConvNextV2ForImageClassification", "ConvNextV2Config", 96, {}),
        )
    },
    "a module of one's own": (Own, 48),
}
