"""The choice among all candidates once sub-nets are ranked: judged on the same images, taken by `route.selection`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdr.route.candidates import Choice
from sdr.route.choose import SUPERNET as TRY_SUPERNET
from sdr.route.choose import TAKE_IT, Gain, Selection, choose, cross_fitted, verdict
from sdr.route.judge import Judged

BASELINE, SUPERNET = Choice("baseline"), Choice("w0")


@dataclass(frozen=True)
class Decision:
    """What routing says of a task.

    Attributes:
        choice: the network to take.
        gain: of the choice over the baseline, on images that it was not made on; None with too few images.
        verdict: that in words.
        judged: each candidate's lead over the baseline in points, and its scores.
    """

    choice: Choice
    gain: Gain | None
    verdict: str
    judged: list[dict]

    @property
    def recommended(self) -> Choice:
        """The network that the verdict says to take."""
        return {TAKE_IT: self.choice, TRY_SUPERNET: SUPERNET}.get(self.verdict, BASELINE)


def decide(
    wanted: list[Choice], judged: Callable[[Choice], Judged], prior: NDArray, params: Selection, w0: bool
) -> Decision:
    """Choose.

    Args:
        wanted: the candidates, one at least.
        judged: what is found of one; asked once each.
        prior: share of the task's images in each cluster, float64 k.
        params: how.
        w0: whether W_0 was trained, so that it may be recommended.
    """
    asked = dict.fromkeys([*wanted, BASELINE, *([SUPERNET] if w0 else [])])
    found = {choice: judged(choice) for choice in asked}
    baseline, of = found[BASELINE], [found[choice] for choice in wanted]
    shares = np.array([prior[c.number] if c.kind != "baseline" and c.number >= 0 else 1 / len(prior) for c in wanted])
    best = choose(of, baseline, shares, params)
    gain = cross_fitted(of, baseline, shares, params)
    supernet = Gain.of(found[SUPERNET].hits - baseline.hits) if w0 else None
    rows = [
        {
            "kind": choice.kind,
            "number": choice.number,
            "lead": round(100 * float((one.hits - baseline.hits).mean()), 4),
            **{name: round(float(values[0]), 4) for name, values in one.values.items()},
        }
        for choice, one in found.items()
    ]
    choice = BASELINE if best is None else wanted[best]
    # Other folds may have chosen a better network, but a baseline that was chosen gains nothing over itself.
    return Decision(choice, gain, verdict(None if choice == BASELINE else gain, supernet), rows)


def folds_of(order: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """The fold of each image, int64 N: they take turns along a class-balanced order; fewer folds where images are few, and one
    where they are too few to judge on others."""
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) % max(1, min(folds, len(order) // 2))
    return number
