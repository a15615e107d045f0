"""A backbone that people take away: timm loads it with nothing of this project installed.

`timm.create_model("local-dir:PATH", pretrained=True)`, with `features_only=True` too.
"""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from sdr.nets.backbone import Backbone
from sdr.nets.pixels import MEAN, STD

_ARCHITECTURE = {"basic": "resnet18", "bottleneck": "resnet50"}  # timm's entry points; the widths are arguments


def export(directory: Path, backbone: nn.Module, spec: Backbone, widths: tuple[int, ...], size: int) -> None:
    """Write `model.safetensors` and timm's `config.json` into the existing `directory`.

    Args:
        backbone: timm's ResNet of `widths` with calibrated batch-norm statistics.
        spec, widths: how it was built.
        size: side of the images it is evaluated at, pixels.
    """
    save_file({k: v.contiguous() for k, v in backbone.state_dict().items()}, directory / "model.safetensors")
    config = {
        "architecture": _ARCHITECTURE[spec.block],
        "num_classes": 0,
        "num_features": backbone.num_features,
        "pretrained_cfg": {
            "input_size": [3, size, size],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": list(MEAN),
            "std": list(STD),
            "first_conv": "conv1.0" if spec.stem_type else "conv1",
            "classifier": "fc",
            "num_classes": 0,
            "pool_size": [max(1, size // 32)] * 2,
        },
        "model_args": {
            "layers": list(spec.layers),
            "channels": list(widths),
            "stem_type": spec.stem_type,
            "stem_width": spec.stem_width,
        },
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
