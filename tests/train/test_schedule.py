"""Progressive phases and draws (Algorithm 1, Fig. 3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.train.schedule import W0, Schedule, cosine


def make(**changes) -> Schedule:
    fields = dict(
        steps=2000, n_subnets=16, groups=4, first_phase=0.3, phase_growth=2.0, w0_share=0.25, progressive=True, seed=0
    )
    return Schedule(**(fields | changes))


@pytest.mark.parametrize(
    "n, spaces",
    [(1, [0]), (3, [0, 3]), (4, [0, 4]), (5, [0, 4, 5]), (16, [0, 4, 16]), (256, [0, 4, 16, 64, 256])],
)
def test_each_phase_adds_the_next_stage(n, spaces):
    assert make(n_subnets=n).spaces == spaces


def test_lengths_of_phases():
    schedule = make()
    assert schedule.starts == [0, 600, 600 + round(1400 / 3)]
    assert [schedule.phase(t) for t in (0, 599, 600, 1066, 1067, 1999)] == [0, 0, 1, 1, 2, 2]


def test_the_naive_way_has_all_sub_nets_at_once():
    assert make(progressive=False).spaces == [0, 16]


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 256), seed=st.integers(0, 9), steps=st.integers(20, 400))
def test_networks_come_from_the_phases_space(n, seed, steps):
    schedule = make(n_subnets=n, seed=seed, steps=steps)
    for step in range(0, steps, 7):
        assert W0 <= schedule.network(step) < max(1, schedule.spaces[schedule.phase(step)])


def test_shares_of_the_draws():
    schedule = make(steps=6000, first_phase=0.01)
    last = [schedule.network(t) for t in range(schedule.starts[-1], 6000)]
    assert last.count(W0) / len(last) == pytest.approx(0.25, abs=0.03)
    assert {last.count(i) > 0.5 * 0.75 / 16 * len(last) for i in range(16)} == {True}


def test_one_sub_net_trains_w0_alone():
    assert {make(n_subnets=1, steps=50).network(t) for t in range(50)} == {W0}


def test_same_seed_and_step_same_network():
    assert [make().network(t) for t in range(900, 960)] == [make().network(t) for t in range(900, 960)]
    assert [make(seed=1).network(t) for t in range(900, 960)] != [make().network(t) for t in range(900, 960)]


def test_cosine():
    assert cosine(0, 100, 10) == pytest.approx(0.1)
    assert cosine(9, 100, 10) == pytest.approx(1.0)
    assert cosine(10, 100, 10) == pytest.approx(1.0)
    assert cosine(55, 100, 10) == pytest.approx(0.5)
    assert cosine(100, 100, 10) == pytest.approx(0.0)
