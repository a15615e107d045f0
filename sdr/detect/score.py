"""The detection score of a backbone: fine-tuned on trainval, measured once on test."""

import sys

import torch
from torch import nn

from sdr.base.checkpoint import States
from sdr.detect.coco_ap import measure
from sdr.detect.finetune import FineTuning
from sdr.detect.params import Detector
from sdr.detect.sets import DetectionSet
from sdr.detect.voc_ap import DivergedError

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
