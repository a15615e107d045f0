"""The protocol's random split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.evaluate.splits import hold_out


@pytest.mark.parametrize("n", [10, 2416, 8144])
def test_is_the_protocols(n):
    state = np.random.get_state()
    np.random.seed(0)
    indices = list(range(n))
    np.random.shuffle(indices)
    np.random.set_state(state)
    train, val = hold_out(n)
    assert val.tolist() == indices[: int(0.2 * n)] and train.tolist() == indices[int(0.2 * n) :]


def test_first_indices_are_pinned():
    assert hold_out(10)[1].tolist() == [2, 8]


@given(st.integers(2, 300), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_is_a_partition_with_both_sides(n, fraction, seed):
    train, val = hold_out(n, fraction, seed)
    assert sorted([*train, *val]) == list(range(n))
    assert len(train) >= 1 and len(val) == max(1, int(np.floor(fraction * n)))
    assert train.dtype == val.dtype == np.int64


def test_leaves_the_global_random_state_alone():
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    hold_out(100)
    assert np.random.rand() == expected


def test_one_image():
    with pytest.raises(UserError, match="at least 2"):
        hold_out(1)
