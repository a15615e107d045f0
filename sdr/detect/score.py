"""The detection score of a backbone: fine-tuned on trainval, measured once on test."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from sdr.base.checkpoint import States
from sdr.detect.finetune import FineTuning
from sdr.detect.params import Detector
from sdr.detect.sets import DetectionSet
from sdr.detect.voc_ap import evaluate


def score(
    backbone: nn.Module,
    data: DetectionSet,
    params: Detector,
    seed: int,
    device: torch.device,
    name: str,
    checkpoints: States,
) -> dict:
    """Fine-tune a detector over `backbone`, going on from `checkpoints`, and evaluate it.

    Returns:
        what `voc_ap.evaluate` does, but `per_class` by the names of the classes; `iterations`, `images` (of each
        split) and `history`.

    Raises:
        UserError: the backbone or the data cannot be trained with, or the training diverges.
    """
    job = FineTuning(backbone, data, "trainval", params, seed, device, decay=True, name=name)
    if state := checkpoints.load():
        job.restore(state)
        print(f"{name}: going on from iteration {job.iteration} of {params.iterations}")
    job.advance(params.iterations, checkpoints)
    truth = data.annotations("test")
    result = evaluate(truth, job.detect(truth), len(data.classes))
    per_class = {name: result["per_class"][label] for label, name in enumerate(data.classes, 1)}
    images = {"trainval": len(data.annotations("trainval")), "test": len(truth)}
    return result | {
        "per_class": per_class,
        "iterations": params.iterations,
        "images": images,
        "history": job.history,
    }


def digest(*folders: str) -> str:
    """Hash the contents of all files directly in `folders`."""
    total = hashlib.sha256()
    for file in sorted(file for folder in folders for file in Path(folder).iterdir() if file.is_file()):
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()
