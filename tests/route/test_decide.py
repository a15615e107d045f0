"""What routing says of a task once its candidates are judged."""

import numpy as np

from sdr.route.candidates import Choice
from sdr.route.choose import NO_EVIDENCE, TAKE_IT
from sdr.route.decide import BASELINE, decide
from sdr.route.judge import Judged
from tests.route.test_choose import how

N, FOLDS = 100, 5


def judged(hits: float, *values: float) -> Judged:
    """Every image alike; `values`: the score on all images, and without any one fold."""
    of = np.array([values[0], *[values[1]] * FOLDS])
    return Judged({"knn": of}, np.full(N, hits), np.arange(N) % FOLDS)


def test_a_chosen_baseline_is_never_taken_for_a_gain():
    """Every fold takes a network that gains; all images together take one that does not, and so the baseline."""
    vain, good = Choice("subnets", 0), Choice("subnets", 1)
    found = {BASELINE: judged(0, 0, 0), vain: judged(0, 50, 50), good: judged(1, 10, 90)}
    said = decide([vain, good], found.__getitem__, np.ones(2), how(rule="margin"), w0=False)
    assert (said.choice, said.verdict) == (BASELINE, NO_EVIDENCE)
    assert said.gain.mean == 100  # told, for it was measured
    found[good] = judged(1, 90, 90)
    said = decide([vain, good], found.__getitem__, np.ones(2), how(rule="margin"), w0=False)
    assert (said.choice, said.verdict) == (good, TAKE_IT)
