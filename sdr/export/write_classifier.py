"""A classifier as a directory that people take away: timm's files, a model card, and ONNX if asked for."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sdr.export.card import render
from sdr.export.classifier import fit_classifier
from sdr.export.portable import write_onnx
from sdr.tasks.read_labelled import Split

CARD = "README.md"
BACKBONE_CARD = "BACKBONE.md"


def write_classifier(
    out: Path,
    backbone: Path,
    splits: Mapping[str, Split],
    classes: Sequence[str],
    name: str,
    command: str,
    onnx: bool,
    device: torch.device,
) -> dict[str, Any]:
    """Fit a classifier and write it whole: model.safetensors and config.json for timm, README.md, BACKBONE.md.

    Args:
        out: an existing directory: an empty one, or that of the backbone, which then gets the head.
        backbone: a folder that timm loads.
        splits, classes: labelled pictures, as `sdr.tasks.read_labelled.read_labelled` returns them.
        name: what the pictures are called.
        command: how this directory is made.
        onnx: whether to write model.onnx too.

    Returns:
        The facts that `fit_classifier` returns.

    Raises:
        UserError: as `fit_classifier`, or what ONNX needs is not installed.
    """
    facts = fit_classifier(out, backbone, splits, classes, device)
    about = (backbone / CARD).is_file()
    if about:
        shutil.copy(backbone / CARD, out / BACKBONE_CARD)
    if out != backbone and (backbone / "samples").is_dir():
        shutil.copytree(backbone / "samples", out / "samples")
    config = json.loads((out / "config.json").read_text())
    side = config["pretrained_cfg"]["input_size"][-1]
    if onnx:
        import timm

        write_onnx(timm.create_model(f"local-dir:{out}", pretrained=True), side, out / "model.onnx", "logits")
    card = render(
        "classifier.md.j2",
        name=f"Classifier of {name}",
        classes=classes,
        backbone="the network that this folder held" if out == backbone else f"the network {backbone.name}",
        side=side,
        facts=facts,
        onnx=onnx,
        command=command,
        about=about,
    )
    (out / CARD).write_text(card, encoding="utf-8")
    return facts
