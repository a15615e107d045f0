"""The schedule of halving, with features made up for each candidate."""

import numpy as np
import pytest

from sdr.evaluate.knn import Knn
from sdr.route.progress import Progress
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
    return race(range(8), ORDER, Y, embed, score, params, 0, Progress(None))


def test_images_grow_and_candidates_shrink():
    embed = Made(lambda i: 1.0)  # all alike: nobody is ever clearly ahead
    rounds = run(embed)
    assert [r.images for r in rounds] == [20, 40, 80, 160] and [len(r.scores) for r in rounds] == [8, 4, 2, 1]
    assert [(len(numbers), n) for numbers, n in embed.calls] == [(8, 20), (4, 20), (2, 40), (1, 80)]


def test_the_best_goes_on_and_wins():
    rounds = run(Made(lambda i: 2.0 - 0.25 * i), name="logme")
    assert max(rounds[-1].scores, key=rounds[-1].scores.get) == 7
    for before, after in zip(rounds, rounds[1:]):
        assert set(after.scores) == set(sorted(before.scores, key=before.scores.get)[-len(after.scores) :])


def test_it_stops_where_one_is_clearly_ahead():
    rounds = run(Made(lambda i: 0.1 if i == 3 else 5.0))
    assert len(rounds) == 1 and rounds[0].separated and max(rounds[0].scores, key=rounds[0].scores.get) == 3


def test_it_stops_at_the_last_image():
    rounds = run(Made(lambda i: 1.0), growth=100.0, keep=0.9)
    assert [r.images for r in rounds] == [20, N] and len(rounds[-1].scores) == 7


def test_the_slowest_schedule_ends_too():
    rounds = run(Made(lambda i: 1.0), least=230, growth=1.001, keep=0.9)
    assert [r.images for r in rounds] == list(range(230, N + 1)) and len(rounds[-1].scores) > 1


@pytest.mark.parametrize(("changes", "images"), [({"per_class": 30}, 120), ({"least": 500}, N), ({}, 20)])
def test_the_first_round_has_enough_of_each_class(changes, images):
    rounds = run(Made(lambda i: 1.0), **changes)
    assert rounds[0].images == images
