"""Cluster statistics against hand-counted examples and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from sdr.cluster.quality import describe


def test_by_hand():
    rows, metrics = describe(np.array([0, 0, 0, 1, 1, 1]), ["b", "b", "a", "c", "a", "a"], 3)
    assert rows == [
        {"cluster": 0, "size": 3, "purity": pytest.approx(2 / 3), "domain": "b"},
        {"cluster": 1, "size": 3, "purity": pytest.approx(2 / 3), "domain": "a"},
        {"cluster": 2, "size": 0, "purity": 0.0, "domain": ""},
    ]
    assert metrics["purity"] == pytest.approx(4 / 6)
    assert metrics["entropy"] == pytest.approx(math.log(2))
    assert metrics["balance"] == 0 and (metrics["min_size"], metrics["max_size"]) == (0, 3)


def test_equal_sizes_are_balanced_and_aligned_domains_pure():
    _, metrics = describe(np.repeat(np.arange(4), 5), list("wxyz"[i // 5] for i in range(20)), 4)
    assert metrics["entropy"] == pytest.approx(math.log(4))
    assert metrics["balance"] == 1 and metrics["purity"] == 1
    assert metrics["nmi"] == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=60))
def test_nmi_and_sizes(pairs):
    assignment, domains = np.array([p[0] for p in pairs]), [p[1] for p in pairs]
    rows, metrics = describe(assignment, domains, 5)
    assert metrics["nmi"] == pytest.approx(normalized_mutual_info_score(domains, assignment), abs=1e-9)
    assert sum(row["size"] for row in rows) == len(pairs)
    assert 0 < metrics["purity"] <= 1 and -1e-12 <= metrics["entropy"] <= math.log(5) + 1e-12
