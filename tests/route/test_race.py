"""The schedule of halving, with features made up for each candidate."""

import numpy as np
import pytest

from sdr.base.progress import Progress
from sdr.evaluate.knn import Knn
from sdr.route.race import Halving, race
from sdr.route.sample import balanced_order
from sdr.route.score import Score

N, CLASSES = 240, 4
Y = np.arange(N) % CLASSES
ORDER = balanced_order(Y, 0)


class Made:
    """Features of candidates: their class, blurred by the same noise in another strength for each."""

    def __init__(self, noise):
        self.noise, self.cost, self.calls = noise, {"macs": 0, "forwards": 0}, []

    def __call__(self, numbers, rows):
        self.calls.append((list(numbers), len(rows)))
        for i in sorted(numbers):
            random = np.random.default_rng(5).normal(size=(N, CLASSES))
            yield i, (np.eye(CLASSES)[Y] + self.noise(i) * random).astype(np.float32)[rows]


def run(embed, name="knn", **changes):
    params = Halving(**{"per_class": 4, "least": 20, "growth": 2, "keep": 0.5} | changes)
    score = Score(name, "top1", CLASSES, Knn(k=10, temperature=0.1))
    return race(range(8), ORDER, Y, embed, score, params, 0, Progress(""))


def test_images_grow_and_candidates_shrink():
    embed = Made(lambda i: 1.0)  # all alike: nobody is ever clearly ahead
    rounds = run(embed)
    assert [r.budget for r in rounds] == [20, 40, 80, 160] and [len(r.scores) for r in rounds] == [8, 4, 2, 1]
    assert [(len(numbers), n) for numbers, n in embed.calls] == [(8, 20), (4, 20), (2, 40), (1, 80)]


def test_the_best_goes_on_and_wins():
    rounds = run(Made(lambda i: 2.0 - 0.25 * i), name="logme")
    assert max(rounds[-1].scores, key=rounds[-1].scores.get) == 7
    for before, after in zip(rounds, rounds[1:]):
        assert set(after.scores) == set(sorted(before.scores, key=before.scores.get)[-len(after.scores) :])


def test_it_stops_where_one_is_clearly_ahead():
    rounds = run(Made(lambda i: 0.1 if i == 3 else 5.0))
    assert len(rounds) == 1 and max(rounds[0].scores, key=rounds[0].scores.get) == 3


def test_it_stops_at_the_last_image():
    rounds = run(Made(lambda i: 1.0), growth=100.0, keep=0.9)
    assert [r.budget for r in rounds] == [20, N] and len(rounds[-1].scores) == 7


def test_the_slowest_schedule_ends_too():
    rounds = run(Made(lambda i: 1.0), least=230, growth=1.001, keep=0.9)
    assert [r.budget for r in rounds] == list(range(230, N + 1)) and len(rounds[-1].scores) > 1


@pytest.mark.parametrize(("changes", "images"), [({"per_class": 30}, 120), ({"least": 500}, N), ({}, 20)])
def test_the_first_round_has_enough_of_each_class(changes, images):
    rounds = run(Made(lambda i: 1.0), **changes)
    assert rounds[0].budget == images


def test_choices_are_those_recorded_before_the_two_halvings_were_one():
    """(images, leader, its score, candidates by number) of each round."""

    def rounds(noise, **changes):
        found = run(Made(noise), **changes)
        return [
            (r.budget, next(iter(r.scores)), max(r.scores.values()), "".join(map(str, sorted(r.scores)))) for r in found
        ]

    assert rounds(lambda i: 1.5 + 0.05 * (i * 3 % 8), growth=1.7, keep=0.35) == [
        (20, 0, 30.0, "01234567"),
        (34, 0, 38.23529411764706, "013"),
        (57, 0, 33.333333333333336, "0"),
    ]
    assert rounds(lambda i: 1 + 0.1 * i, keep=0.7, per_class=10) == [
        (40, 0, 47.5, "01234567"),
        (80, 0, 42.5, "012347"),
        (160, 0, 51.25, "0123"),
    ]
    assert rounds(lambda i: 2.0 - 0.25 * i, name="logme") == [
        (20, 7, -0.06924699872737086, "01234567"),
        (40, 7, -0.07057113177549817, "4567"),
        (80, 7, -0.010179516859544076, "67"),
        (160, 7, 0.018611489117251898, "7"),
    ]
