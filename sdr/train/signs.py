"""Signs that a training will not be worth much. Each is one line that says what to change; none stops it."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from sdr.train.training import Training

FEWEST_STEPS = 200  # after so many the loss of the default has made half of its fall, 5.1 to 2.7
LOOKS = 40  # at the loss: fewer say nothing of its course
CLEAR = 2.0  # standard errors by which the loss must have fallen
FALLEN = 0.5  # of a network's greatest effective rank


def few_steps(job: Training) -> Iterator[str]:
    """Whether a training sees less than its corpus once, or has too few steps for anything."""
    steps, batch, section = job.schedule.steps, job.optimization.batch_size, _section(job)
    if steps * batch < job.images:
        seen = steps * batch / job.images
        yield f"{job.stage}: {steps:,} steps see {seen:.1%} of the {job.images:,} images: raise {section}.epochs to 1 at least"
    elif steps < FEWEST_STEPS:
        yield (
            f"{job.stage}: {steps} steps are few for any corpus: raise {section}.epochs, or lower {section}.optimization.batch_size "
            f"({batch}), so that there are {FEWEST_STEPS} at least"
        )


def flat_loss(job: Training, history: list[dict]) -> Iterator[str]:
    """Whether the loss has not fallen since the beginning: the last quarter of each network's looks against its first quarter.

    Networks have losses of their own, so that each is compared with itself; their falls are added up, and so are the variances of
    these, σ² of a look being half the mean square of the differences of neighbours. In the warm-up nothing is said.
    """
    losses = defaultdict(list)
    for row in history:
        losses[row["network"]].append(row["ssl"])
    compared = [values for values in losses.values() if len(values) >= 8]
    if len(history) < LOOKS or not compared or history[-1]["step"] < 2 * job.warmup:
        return
    fall = variance = 0.0
    for values in compared:
        part = len(values) // 4
        fall += float(np.mean(values[:part]) - np.mean(values[-part:]))
        variance += (
            float(np.mean(np.diff(values) ** 2)) / part
        )  # of the difference of two means of `part` looks: 2 σ² / part
    if fall <= CLEAR * variance**0.5:
        yield f"{job.stage}: the loss has not fallen since the beginning: try a third or three times {_section(job)}.optimization.lr"


def falling_rank(job: Training, rows: list[dict]) -> Iterator[str]:
    """Whether the network last looked at has lost much of the effective rank that it had."""
    *before, last = [row for row in rows if row["network"] == rows[-1]["network"]]
    greatest = max((row["rank"] for row in before), default=0.0)
    if last["rank"] < FALLEN * greatest:
        yield (
            f"{job.stage}: the effective rank of network {last['network']} fell from {greatest:.1f} to {last['rank']:.1f}: its "
            f"projections collapse; lower {_section(job)}.optimization.lr, or take larger batches or stronger views"
        )


def _section(job: Training) -> str:
    """Of params.yaml."""
    return {"train_sdr": "sdr"}.get(job.stage, job.stage)
