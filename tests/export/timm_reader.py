"""What a reader of an export does, with timm and PyTorch alone: run as a program, with the folder as argument.

Reads `picture.png` and `images.npy` (`N×3×S×S` float32) there; prints a JSON line and writes `read.npz`.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config


def main(folder: Path) -> None:
    images = torch.from_numpy(np.load(folder / "images.npy"))
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    pyramid = timm.create_model(f"local-dir:{folder}", pretrained=True, features_only=True).eval()
    transform = create_transform(**resolve_data_config({}, model=model), is_training=False)
    with torch.inference_mode():
        features, maps = model(images), pyramid(images)
    program = torch.export.load(folder / "model.pt2").module()
    np.savez(
        folder / "read.npz",
        features=features,
        last_map=maps[-1],
        view=transform(Image.open(folder / "picture.png")),
        program=program(images).detach(),
    )
    report = {
        "sdr": importlib.util.find_spec("sdr") is not None,
        "timm": timm.__file__,
        "shapes": [list(x.shape) for x in maps],
        "strides": pyramid.feature_info.reduction(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
