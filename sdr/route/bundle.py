"""A trained super-net as people pass it on: the folders sdrnet, calibration, backbones/baseline and clusters, sealed.

The seal lists the files with their hashes, so that a pull that was cut short or a file of another run is seen before
anything is computed with it.
"""

import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

from sdr.base.errors import UserError
from sdr.base.outputs import sha256, write_json
from sdr.nets.folder import load_backbone
from sdr.route.prior import Clusters
from sdr.route.trained import TrainedSdr
from sdr.ssl.folder import OWN as OWN_FILE

FORMAT = 2  # of the folders and the seal
SEAL = "calibration/seal.json"
FILES = (
    *(
        f"{folder}/{file}"
        for folder in ("sdrnet", "backbones/baseline")
        for file in ("config.json", "model.safetensors")
    ),
    *(f"calibration/{file}" for file in ("bn.safetensors", "meta.json", "places.safetensors")),
)
OWN = f"sdrnet/{OWN_FILE}"  # where sub-nets have parameters of their own


@dataclass(frozen=True)
class Bundle:
    """A trained super-net and what belongs to it.

    Attributes:
        root: the directory.
        trained: W_0 and its sub-nets, calibrated.
        baseline: the backbone of SimSiam on everything, of a sub-net's width.
        clusters: where clusters lie among the baseline's features.
        sizes: images of each cluster, int64 `n_subnets`.
        size: side of the images that the networks were calibrated with, pixels.
        seal: content of seal.json.
    """

    root: Path
    trained: TrainedSdr
    baseline: nn.Module
    clusters: Clusters
    sizes: np.ndarray
    size: int
    seal: dict


def seal(root: Path, calibration: Path, **facts: object) -> None:
    """Write seal.json into the folder `calibration`, which is about to become that of `root`; `facts` are added."""
    files = {
        file: sha256(calibration / Path(file).name if file.startswith("calibration") else root / file)
        for file in (*FILES, *([OWN] if (root / OWN).is_file() else []))
    }
    versions = {"python": platform.python_version()} | {p: version(p) for p in ("torch", "torchvision", "timm")}
    write_json(calibration / "seal.json", {"format": FORMAT, **facts, "versions": versions, "files": files})


def open_bundle(root: str | Path, device: torch.device) -> Bundle:
    """Open a directory such as `artifacts`, after checking all its files.

    Raises:
        UserError: a file is missing, altered, or of another format.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(
            f"{root}: not found; it should be a directory with sdrnet, calibration, backbones/baseline, clusters"
        )
    try:
        sealed = json.loads((root / SEAL).read_text())
        form, files, size = sealed["format"], sealed["files"], sealed["size"]
    except FileNotFoundError:
        raise UserError(f"{root / SEAL}: not found; {_AGAIN}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{root / SEAL}: not a seal of this program; {_AGAIN}") from None
    if form != FORMAT:
        raise UserError(
            f"{root}: a super-net of format {form}, this version reads {FORMAT}; use the version of this program that "
            "made it, or run the stage calibrate again"
        )
    for file in (*FILES, *({OWN} & set(files))):
        if not (root / file).is_file():
            raise UserError(f"{root / file}: not found; {_AGAIN}")
        if sha256(root / file) != files.get(file):
            raise UserError(f"{root / file}: altered since the super-net was sealed; {_AGAIN}")
    trained = TrainedSdr(root / "sdrnet", root / "calibration", device)
    places = load_file(root / "calibration/places.safetensors")
    clusters = Clusters(places["mean"], places["centroids"])
    baseline = load_backbone(root / "backbones/baseline", device)
    return Bundle(root, trained, baseline, clusters, places["sizes"], size, sealed)


_AGAIN = "pull the super-net again (`dvc pull calibrate`), or run `dvc repro calibrate`"
