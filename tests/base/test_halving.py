"""Successive halving on scores made up: who goes on, where it ends, who is how good."""

import math

from sdr.base.halving import Rung, best, halve, ranking

SCHEDULE = [(1, 4), (2, 2), (4, 1)]


def never(rung, left):
    return False


def scored(value):
    return lambda candidates, budget: {i: value(i, budget) for i in candidates}


def test_the_best_go_on():
    rungs = halve(range(6), SCHEDULE, scored(lambda i, budget: i * budget), never)
    assert rungs == [
        Rung(1, {i: i for i in range(6)}),
        Rung(2, {i: 2 * i for i in (5, 4, 3, 2)}),
        Rung(4, {5: 20, 4: 16}),
    ]
    assert list(rungs[0].scores) == [5, 4, 3, 2, 1, 0] and ranking(rungs) == [5, 4, 3, 2, 1, 0]


def test_of_equal_scores_the_first_goes_on():
    rungs = halve([2, 0, 1], [(1, 2), (2, 1)], scored(lambda i, budget: 1.0), never)
    assert [list(rung.scores) for rung in rungs] == [[2, 0, 1], [2, 0]]


def test_a_failed_one_never_goes_on():
    assert best({0: -math.inf, 1: 3.0, 2: 4.0}, keep=3) == [2, 1]
    rungs = halve(range(3), [(1, 3), (2, 1)], scored(lambda i, budget: -math.inf if i == 2 else i), never)
    assert list(rungs[1].scores) == [1, 0] and ranking(rungs) == [1, 0, 2]


def test_it_ends_where_it_is_told_to_knowing_who_would_go_on():
    asked = []

    def ended(rung, left):
        asked.append((rung.budget, left))
        return rung.budget == 2

    assert len(halve(range(6), SCHEDULE, scored(lambda i, budget: i), ended)) == 2
    assert asked == [(1, [5, 4, 3, 2]), (2, [5, 4])]
