"""The tree of paths, and the curves' bins, against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdr.report.plot_gains import tree, w0_gain
from sdr.report.plot_training import BINS, binned
from sdr.report.run import TaskRun
from tests.report.conftest import path_of


def task(gains, route=None):
    subnets = range(len(gains))
    table = pd.DataFrame({"subnet": subnets, "path": [path_of(i) for i in subnets], "gain": gains})
    return TaskRun("t", {}, table.sort_values("gain", ascending=False), route or {}, {}, {})


def test_a_tree_of_six_subnets():
    levels = tree(task([1.0, 2.0, 3.0, 6.0, -1.0, 5.0]))
    assert levels == [
        (3, [(0, 4, 3.0), (4, 2, 2.0)]),
        (4, [(0, 1, 1.0), (1, 1, 2.0), (2, 1, 3.0), (3, 1, 6.0), (4, 1, -1.0), (5, 1, 5.0)]),
    ]


@given(st.integers(1, 256), st.integers(0, 1000))
def test_every_level_covers_all_subnets_and_keeps_their_mean(n, seed):
    gains = np.random.default_rng(seed).normal(size=n)
    levels = tree(task(gains))
    assert [stage for stage, _ in levels] == [s for s in (1, 2, 3, 4) if s == 4 or n > 4 ** (4 - s)]
    for _, cells in levels:
        starts, widths, means = zip(*cells, strict=True)
        assert list(starts) == list(np.cumsum([0, *widths[:-1]]))
        assert sum(widths) == n
        assert np.dot(widths, means) == pytest.approx(gains.sum())
    assert len(levels[-1][1]) == n


def test_gain_of_the_supernet():
    assert w0_gain(task([1.0], {"w0": 41.5, "baseline": 40.0})) == 1.5


def test_curves_are_averaged_over_equal_spans():
    rows = pd.DataFrame({"step": range(4 * BINS), "std": np.tile([0.0, 1.0, 2.0, 5.0], BINS)})
    curve = binned(rows, "std")
    assert len(curve) == BINS
    assert np.allclose(curve["mean"], 2.0) and (curve["min"] == 0).all() and (curve["max"] == 5).all()
    assert np.allclose(curve["step"], np.arange(BINS) * 4 + 1.5)


def test_few_steps_stay_as_they_are():
    curve = binned(pd.DataFrame({"step": [0, 10, 20], "std": [1.0, 3.0, 2.0]}), "std")
    assert list(curve["mean"]) == [1.0, 3.0, 2.0]
    assert len(binned(pd.DataFrame({"step": [7], "std": [1.0]}), "std")) == 1
