"""The detection score of a backbone: fine-tuned on trainval, measured once on test."""

import sys
from pathlib import Path

import torch
from torch import nn

from sdr.base.checkpoint import Checkpoints, States
from sdr.base.outputs import digest
from sdr.detect.coco_ap import measure
from sdr.detect.finetune import FineTuning
from sdr.detect.params import Detector
from sdr.detect.sets import DetectionSet
from sdr.detect.voc_ap import DivergedError
from sdr.nets.folder import load_resnet

PRECISIONS = ("ap", "ap50", "ap75", "ap_present", "ap50_present", "ap75_present")
_ATTEMPTS = 3  # at the learning rate, at half of it and at a quarter


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

    A training that diverges is begun anew at half the learning rate, twice at most.

    Returns:
        what `voc_ap.evaluate` does, but `per_class` by the names of the classes; `iterations`, `images` (of each
        split), `history` and `lr`. If every training diverged, the precisions are None and `failed` says why.

    Raises:
        UserError: the backbone or the data cannot be trained with.
    """
    truth = data.annotations("test")
    images = {"trainval": len(data.annotations("trainval")), "test": len(truth)}
    facts = {"iterations": params.iterations, "images": images}
    state = checkpoints.load()
    attempt = state["attempt"] if state else 0
    for number in range(attempt, _ATTEMPTS):
        slower = params.model_copy(update={"lr": params.lr / 2**number})
        job = FineTuning(backbone, data, "trainval", slower, seed, device, decay=True, name=name)
        if state:
            job.restore(state)
            print(f"{name}: going on from iteration {job.iteration} of {params.iterations}")
        try:
            job.advance(params.iterations, _Attempt(checkpoints, number))
            result = measure(data.rules, truth, job.detect(truth), len(data.classes))
        except DivergedError as error:
            print(f"warning: {error}", file=sys.stderr)
            failed, state = str(error), None
            continue
        per_class = {name: result["per_class"][label] for label, name in enumerate(data.classes, 1)}
        return result | facts | {"per_class": per_class, "history": job.history, "lr": slower.lr}
    failed = f"diverged {_ATTEMPTS} times, at last at a learning rate of {slower.lr:g}: {failed}"
    return dict.fromkeys(PRECISIONS) | facts | {"per_class": {}, "history": [], "lr": None, "failed": failed}


class _Attempt:
    """The checkpoints of one attempt: its number goes with each state."""

    def __init__(self, states: States, number: int):
        self._states, self._number, self.due = states, number, states.due

    def save(self, state: dict, step: int) -> None:
        self._states.save(state | {"attempt": self._number}, step)


def fine_tuned(
    folder: str | Path, name: str, network: str, detector: Detector, seed: int, device: torch.device
) -> tuple[dict, Checkpoints]:
    """Score the backbone in `folder` on the prepared set `name`, going on after an interruption.

    Args:
        network: what it is called.

    Returns:
        what the result file holds, and the checkpoints: remove them when it is written.

    Raises:
        UserError: as `score`, or something is missing.
    """
    source, backbone = f"artifacts/detection/{name}", load_resnet(folder)
    facts = {"seed": seed, "detector": detector, "data": digest(source), "backbone": digest(str(folder))}
    facts |= {"device": device.type}
    checkpoints = Checkpoints(f"finetune-{name}-{network}", facts)
    result = score(backbone, DetectionSet.open(source), detector, seed, device, network, checkpoints)
    return {"set": name, "network": network} | result, checkpoints


def in_words(found: dict) -> str:
    """Average precisions, for people, or why there are none."""
    if found["ap"] is None:
        return f"has no score, the detector {found['failed']}"
    return f"AP {found['ap']:.2f} %, AP50 {found['ap50']:.2f} %, AP75 {found['ap75']:.2f} %"
