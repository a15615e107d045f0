"""How networks differ from the baseline on test images, in points with intervals; a row a network for the table of all."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sdr.report.run import TaskRun
from sdr.report.tables import below_raw

_NAMES = {"baseline": "baseline", "w0": "super-net W_0", "sdr": "routing’s choice"}


@dataclass(frozen=True)
class Difference:
    """Linear test score minus the baseline's, points, with a 95 % interval over the test images; one seed."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Beside:
    """One network on one task.

    Attributes:
        name: in words.
        found: its evaluation.
        difference: to the baseline; None for the baseline itself.
        below_raw: protocols in which it is below raw pixels.
    """

    name: str
    found: dict[str, Any]
    difference: Difference | None
    below_raw: list[str]


def beside(task: TaskRun) -> list[Beside]:
    """Every network that was evaluated on a task: ours, then the others."""
    baseline = task.networks["baseline"]
    return [
        Beside(
            _NAMES.get(name, name),
            found,
            None if name == "baseline" else difference(found, baseline),
            below_raw(task, name),
        )
        for name, found in (task.networks | task.others).items()
    ]


def difference(found: dict[str, Any], baseline: dict[str, Any]) -> Difference:
    """Paired over resamples of the same test images; where an evaluation kept none, from both intervals, which is wider."""
    mean = float(found["linear"] - baseline["linear"])
    ours, theirs = found.get("linear_resamples"), baseline.get("linear_resamples")
    if ours and theirs and len(ours) == len(theirs):
        low, high = np.nanpercentile(np.array(ours, float) - np.array(theirs, float), [2.5, 97.5])
        return Difference(mean, float(low), float(high))
    (a, b), (c, d) = found["linear_interval"], baseline["linear_interval"]
    down = np.hypot(found["linear"] - a, d - baseline["linear"])
    up = np.hypot(b - found["linear"], baseline["linear"] - c)
    return Difference(mean, mean - float(down), mean + float(up))
