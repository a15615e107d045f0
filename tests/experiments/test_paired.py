"""Paired statistics against scipy, numbers worked out by hand, and what must hold of any."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from sdr.experiments.paired import Sample, difference, holm

SCORES = st.lists(st.tuples(*[st.integers(0, 10_000)] * 2), min_size=2, max_size=6)


def numbered(values):
    return dict(enumerate(values))


def test_by_hand():
    """d = 1, 2, 3: mean 2, std 1, t = 2√3, and with two degrees of freedom p = 1 − t/√(t² + 2) = 1 − √(6/7)."""
    found = difference({0: 51.0, 1: 54.0, 2: 53.0}, {0: 50.0, 1: 52.0, 2: 50.0})
    assert found.sample.values == {0: 1.0, 1: 2.0, 2: 3.0}
    assert (found.sample.n, found.sample.mean, found.sample.std, found.why) == (3, 2.0, 1.0, "")
    assert found.p == pytest.approx(1 - math.sqrt(6 / 7))
    half = 4.302652729911275 / math.sqrt(3)  # t_{0.975, 2}, from a table
    assert found.interval == pytest.approx((2 - half, 2 + half))


def test_against_scipy():
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 20):
        ours, reference = rng.normal(56, 1, n), rng.normal(55, 1, n)
        found = difference(numbered(ours), numbered(reference))
        test = stats.ttest_rel(ours, reference)
        assert found.p == pytest.approx(test.pvalue)
        assert found.interval == pytest.approx(test.confidence_interval(0.95))


def test_only_seeds_that_both_have_are_paired():
    found = difference({0: 51.0, 2: 53.5, 7: 99.0}, {2: 50.0, 1: 10.0, 0: 50.5})
    assert found.sample.values == {0: 0.5, 2: 3.5}


@pytest.mark.parametrize(
    ("ours", "reference", "why"),
    [
        ({}, {}, "no seed in common"),
        ({0: 50.0}, {1: 50.0}, "no seed in common"),
        ({0: 50.0}, {0: 49.0}, "one seed"),
        ({0: 50.0, 1: 51.0}, {0: 50.0, 1: 51.0}, "the same difference with every seed"),
        ({0: 50.13, 1: 51.2}, {0: 50.03, 1: 51.1}, "the same difference with every seed"),  # 1e-15 apart
    ],
)
def test_without_a_test_it_is_said_why(ours, reference, why):
    found = difference(ours, reference)
    assert (found.p, found.interval, found.why) == (None, None, why)


def test_a_sample_has_a_std_from_two_seeds_on():
    assert (Sample({}).mean, Sample({}).std) == (None, None)
    assert (Sample({3: 5.0}).mean, Sample({3: 5.0}).std) == (5.0, None)
    assert Sample({0: 1.0, 1: 3.0}).std == pytest.approx(math.sqrt(2))  # n − 1 in the denominator


@given(SCORES, st.integers(-5000, 5000))
def test_shifting_all_scores_leaves_differences_alone(pairs, shift):
    ours, reference = ({i: pair[side] / 100 for i, pair in enumerate(pairs)} for side in (0, 1))
    before = difference(ours, reference)
    after = difference(*({i: score + shift / 100 for i, score in row.items()} for row in (ours, reference)))
    assert after.sample.mean == pytest.approx(before.sample.mean, abs=1e-9)
    assert (after.p is None) == (before.p is None)
    if before.p is not None:
        assert after.p == pytest.approx(before.p, rel=1e-5, abs=1e-12)
        assert after.interval == pytest.approx(before.interval, rel=1e-6, abs=1e-8)


@given(SCORES)
def test_swapping_the_rows_turns_the_sign(pairs):
    ours, reference = ({i: pair[side] / 100 for i, pair in enumerate(pairs)} for side in (0, 1))
    found, swapped = difference(ours, reference), difference(reference, ours)
    assert swapped.sample.mean == -found.sample.mean
    assert swapped.p == pytest.approx(found.p)
    if found.interval:
        assert swapped.interval == pytest.approx((-found.interval[1], -found.interval[0]))


@given(SCORES)
def test_the_interval_holds_zero_if_and_only_if_the_test_does_not_reject(pairs):
    found = difference(numbered(a / 100 for a, _ in pairs), numbered(b / 100 for _, b in pairs))
    assume(found.p is not None and abs(found.p - 0.05) > 1e-9)
    assert (found.interval[0] <= 0 <= found.interval[1]) == (found.p > 0.05)


def test_holm_by_hand():
    """Times 4, 3, 2, 1 in rising order, never less than the one before, at most 1 (Holm 1979)."""
    found = holm({"c": 0.03, "a": 0.01, "d": 0.9, "none": None, "b": 0.02})
    assert found == pytest.approx({"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.9, "none": None})
    assert list(found) == ["c", "a", "d", "none", "b"]
    assert holm({"a": 0.4, "b": 0.6}) == pytest.approx({"a": 0.8, "b": 0.8})
    assert holm({"a": 0.7, "b": 0.6}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_raw_and_bonferroni_and_rejects_step_by_step(values):
    corrected = holm(numbered(values))
    order = sorted(range(len(values)), key=lambda i: (values[i], i))
    for level in (0.01, 0.05, 0.5):
        rejected, m = set(), len(values)
        for step, i in enumerate(order):  # Holm's own wording: stop at the first that does not pass
            if (m - step) * values[i] > level:
                break
            rejected.add(i)
        assert {i for i, p in corrected.items() if p <= level} == rejected
    for i, p in corrected.items():
        assert values[i] <= p <= min(1.0, len(values) * values[i]) or p == values[i]
