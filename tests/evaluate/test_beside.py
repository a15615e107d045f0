"""Paired differences between networks on the same images."""

import numpy as np
import pytest

from sdr.evaluate.beside import beside


def votes(targets: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Class scores that are right for some images."""
    return np.eye(3)[np.where(right, targets, (targets + 1) % 3)]


def test_differences_and_intervals_by_a_bootstrap_by_hand():
    random = np.random.default_rng(0)
    targets, (a, b) = random.integers(3, size=200), random.random((2, 200)) < [[0.8], [0.6]]
    (found,) = beside(votes(targets, a), {"b": votes(targets, b)}, targets)
    assert found.score == pytest.approx(100 * b.mean()) and found.difference == pytest.approx(
        100 * (a.mean() - b.mean())
    )
    rows = random.integers(200, size=(4000, 200))
    low, high = np.percentile(100 * (a[rows].mean(1) - b[rows].mean(1)), [2.5, 97.5])
    assert (
        found.interval == (pytest.approx(low, abs=1), pytest.approx(high, abs=1))
        and found.word == "the choice is better"
    )


def test_pairs_make_it_narrow_and_equal_ones_show_no_evidence():
    random = np.random.default_rng(1)
    targets, a = random.integers(3, size=300), random.random(300) < 0.5
    b = a.copy()
    b[np.flatnonzero(~a)[:9]] = True  # never worse, 3 points better
    same, better = beside(votes(targets, a), {"same": votes(targets, a), "better": votes(targets, b)}, targets)
    assert same.interval == (0, 0) and same.word == "no evidence"
    assert better.difference == pytest.approx(-3) and better.word == "this one is better"
    assert better.interval[1] - better.interval[0] < 5  # unpaired it would be about 16
