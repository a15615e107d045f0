"""Successive halving over toy arms: the winner, the price, and going on after an interruption anywhere."""

import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.progress import Progress
from sdr.detect.halving import compete

FAILED = -math.inf


def halve(arms, iterations, survivors, advance, name):
    """A whole search; its records are deleted at the end."""
    progress = Progress(name)
    result = compete(arms, iterations, survivors, advance, progress)
    progress.remove()
    return result


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))
    monkeypatch.setattr(os, "fsync", lambda file: None)  # slow, and there are thousands of states here
    return tmp_path


class Toys:
    """Arms whose score after t iterations is `value(arm, t)`. `trained` lists (arm, iteration) as it is spent.

    Every fourth iteration is saved on the way. `fuse` iterations from now an interrupt comes.
    """

    def __init__(self, value, fuse: int = 10**9):
        self.value, self.fuse = value, fuse
        self.trained: list[tuple[int, int]] = []
        self.scored: list[tuple[int, int]] = []

    def __call__(self, arm, until, states):
        state = states.load() or {"arm": arm, "iteration": 0}
        assert state["arm"] == arm
        while state["iteration"] < until:
            self._spend()
            state["iteration"] += 1
            self.trained.append((arm, state["iteration"]))
            if state["iteration"] % 4 == 0:
                states.save(state, state["iteration"])
        self._spend()
        self.scored.append((arm, until))
        return self.value(arm, until), dict(state)

    def _spend(self):
        self.fuse -= 1
        if self.fuse < 0:
            raise KeyboardInterrupt


@st.composite
def races(draw):
    """Arms, rungs, survivors."""
    arms = draw(st.permutations(range(draw(st.integers(1, 9)))))
    iterations = sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=4)))
    keep = draw(st.lists(st.integers(1, 10), min_size=len(iterations) - 1, max_size=len(iterations) - 1))
    return arms, iterations, sorted(keep, reverse=True)


@settings(deadline=None, max_examples=40)
@given(races())
def test_the_best_of_noiseless_monotone_arms_wins_at_the_computed_price(race):
    arms, iterations, survivors = race
    toys = Toys(lambda arm, t: arm * t)
    result = halve(*race, toys, "toys")
    assert result.winner == max(arms)
    assert sorted(result.ranking) == sorted(arms) and result.ranking == sorted(arms, reverse=True)
    alive, expected, before = len(arms), 0, 0
    for until, keep in zip(iterations, [*survivors, 1]):
        if alive > 1:
            expected += alive * (until - before)
        alive, before = min(alive, keep), until
    assert result.iterations == expected == len(toys.trained)
    assert [len(rung.scores) for rung in result.rungs] == sizes(len(arms), survivors)
    assert len(set(toys.trained)) == len(toys.trained)


def sizes(alive: int, survivors: list[int]) -> list[int]:
    out = []
    for keep in [*survivors, 1]:
        if alive > 1:
            out.append(alive)
        alive = min(alive, keep)
    return out


@settings(deadline=None, max_examples=15)
@given(races(), st.data())
def test_ties_go_to_the_earlier_arm(race, data):
    arms, *_ = race
    assert halve(*race, Toys(lambda arm, t: 1.0), "toys").ranking == list(arms)


def noisy(arm: int, t: int) -> float:
    return FAILED if arm % 4 == 1 and t > 4 else (arm * 7919 + t * 104729) % 23


RACE = ([3, 1, 4, 2, 0, 5], [3, 8, 15], [4, 2])


def test_interrupted_in_any_iteration_it_goes_on_to_the_same_end(scratch):
    whole = Toys(noisy)
    expected = halve(*RACE, whole, "whole")
    for stop in range(len(whole.trained) + len(whole.scored)):
        first, rest = Toys(noisy, fuse=stop), Toys(noisy)
        with pytest.raises(KeyboardInterrupt):
            halve(*RACE, first, "listing")
        assert halve(*RACE, rest, "listing") == expected
        assert first.scored + rest.scored == whole.scored  # no (arm, rung) twice
        repeated = len(first.trained) + len(rest.trained) - len(whole.trained)
        assert 0 <= repeated <= 4  # what the interrupted arm had done since its last save
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_interrupted_in_any_write_it_goes_on_to_the_same_end(scratch, monkeypatch):
    """A kill can also come between two files, or before one is in its place."""
    whole, replace = Toys(noisy), os.replace
    expected = halve(*RACE, whole, "whole")
    for late in (False, True):
        for stop in range(40):
            left = [stop]

            def fused(source, target, left=left, late=late):
                left[0] -= 1
                if left[0] < 0 and not late:
                    raise KeyboardInterrupt
                replace(source, target)
                if left[0] < 0:
                    raise KeyboardInterrupt

            monkeypatch.setattr(os, "replace", fused)
            first, rest = Toys(noisy), Toys(noisy)
            try:
                halve(*RACE, first, "listing")
                assert stop > 2 * len(RACE[0])  # as many writes as there are
            except KeyboardInterrupt:
                monkeypatch.setattr(os, "replace", replace)
                assert halve(*RACE, rest, "listing") == expected
                assert len(first.trained) + len(rest.trained) - len(whole.trained) <= 4
            assert not scratch.exists() or list(scratch.iterdir()) == []


def test_a_second_interruption_does_no_harm():
    expected = halve(*RACE, Toys(noisy), "whole")
    for stops in [(9, 9, 9, 9), (25, 1, 1, 12), (13, 0, 0, 20)]:
        for stop in stops:
            with pytest.raises(KeyboardInterrupt):
                halve(*RACE, Toys(noisy, fuse=stop), "listing")
        assert halve(*RACE, Toys(noisy), "listing") == expected


def test_states_of_arms_that_are_out_are_deleted(scratch):
    """At no time are there more than survivors + 1 states, and at the end nothing."""
    seen = []

    class Watched(Toys):
        def __call__(self, arm, until, states):
            seen.append([int(f.parent.name) for f in scratch.rglob("*.ckpt")])
            return super().__call__(arm, until, states)

    halve(range(8), [5, 12, 24], [3, 2], Watched(lambda arm, t: (arm * 5) % 8), "x")
    assert all(len(states) <= 3 for states in seen)  # of the arms before; with the arm in training 4
    assert sorted(seen[8]) == [1, 3, 6]  # the three best of 8 go on: 3·5, 6·5 and 1·5 modulo 8 are 7, 6 and 5
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_one_arm_costs_nothing():
    toys = Toys(lambda arm, t: 1.0)
    result = halve([7], [10, 20], [3], toys, "x")
    assert (result.winner, result.ranking, result.rungs, result.iterations) == (7, [7], [], 0)
    assert toys.trained == []


def test_failed_arms_never_go_on_and_the_last_one_standing_is_not_trained_on():
    toys = Toys(lambda arm, t: 1.0 if arm == 2 else FAILED)
    result = halve(range(4), [5, 10], [3], toys, "x")
    assert result.winner == 2 and result.ranking[0] == 2
    assert result.iterations == len(toys.trained) == 4 * 5


def test_when_all_fail_there_is_no_winner_and_nothing_is_left(scratch):
    result = halve(range(3), [5, 10], [2], Toys(lambda arm, t: FAILED), "x")
    assert result.winner is None and set(result.rungs[0].scores.values()) == {FAILED}
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_a_finished_search_is_there_until_it_is_forgotten():
    """Its result may have been lost on the way to the disk."""
    first = compete(*RACE, Toys(noisy), Progress("x"))
    again = Toys(noisy)
    assert compete(*RACE, again, Progress("x")) == first and again.scored == []
    Progress("x").remove()
    assert not Progress("x").folder.exists()
    halve(*RACE, again, "x")
    assert len(again.scored) == sum(len(rung.scores) for rung in first.rungs)


def test_another_name_starts_anew():
    with pytest.raises(KeyboardInterrupt):
        halve(*RACE, Toys(noisy, fuse=30), "a")
    toys = Toys(noisy)
    assert halve(*RACE, toys, "b").iterations == len(toys.trained)


def test_unreadable_scores_are_named_and_it_starts_anew(scratch, capsys):
    (scratch / "searches/x").mkdir(parents=True)
    (scratch / "searches/x/progress.json").write_text("{")
    toys = Toys(noisy)
    assert halve(*RACE, toys, "x").iterations == len(toys.trained)
    assert "progress.json: not readable" in capsys.readouterr().out


def test_scores_on_disk_are_plain_json(scratch):
    with pytest.raises(KeyboardInterrupt):
        halve(*RACE, Toys(lambda arm, t: FAILED if arm == 1 else arm / 3, fuse=9), "x")
    assert json.loads(Progress("x").folder.joinpath("progress.json").read_text()) == {
        "race, to iteration 3": {"3": 1.0, "1": None}
    }


def test_the_result_is_that_recorded_before_the_two_halvings_were_one():
    found = halve(*RACE, Toys(noisy), "x")
    assert (found.winner, found.ranking) == (4, [4, 2, 5, 1, 0, 3])
    assert [(rung.budget, list(rung.scores.items())) for rung in found.rungs] == [
        (3, [(2, 21), (5, 19), (1, 14), (4, 12), (0, 7), (3, 5)]),
        (8, [(4, 16), (2, 2), (5, FAILED), (1, FAILED)]),
        (15, [(4, 17), (2, 3)]),
    ]
    ties = halve(range(9), [2, 4, 9, 20], [6, 3, 2], Toys(lambda arm, t: (arm * 7 + t * 3) % 5), "x")
    assert ties.ranking == [1, 6, 3, 8, 0, 4, 5, 2, 7]
    assert [list(rung.scores) for rung in ties.rungs] == [
        [4, 1, 6, 3, 8, 0, 5, 2, 7],
        [1, 6, 3, 8, 0, 4],
        [1, 6, 3],
        [1, 6],
    ]
