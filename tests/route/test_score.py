import numpy as np
import pytest

from sdr.evaluate.knn import Knn, leave_one_out
from sdr.evaluate.metrics import score
from sdr.route.score import Score
from sdr.route.transferability import hscore, logme

KNN = Knn(k=5, temperature=0.1)
X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
Y = np.arange(40) % 4
X[:, :4] += np.eye(4, dtype=np.float32)[Y]


def test_knn_is_the_tasks_metric_of_each_image_by_the_others():
    votes = leave_one_out(X, Y, 4, 5, 0.1)
    for metric in ("top1", "mean_per_class"):
        assert Score("knn", metric, 4, KNN)(X, Y) == score(metric, votes, Y)


@pytest.mark.parametrize(("name", "function"), [("logme", logme), ("hscore", hscore)])
def test_the_others_are_what_they_are_called(name, function):
    score = Score(name, "top1", 4, KNN)
    assert score(X, Y) == function(X, Y, 4) and len(score.resampled(X, Y, 50, 0)) == 0


def test_resamples_are_paired_and_spread_around_the_score():
    knn = Score("knn", "top1", 4, KNN)
    first, again = (knn.resampled(x, Y, 400, 7) for x in (X, X * 3))  # cosines do not see a scale
    assert np.array_equal(first, again) and first.std() > 1
    assert first.mean() == pytest.approx(knn(X, Y), abs=4 * first.std() / 20)


@pytest.mark.parametrize("name", ["knn", "logme", "hscore"])
def test_several_labels_are_taken(name):
    labels = np.random.default_rng(1).random((40, 3)) < 0.4
    assert np.isfinite(Score(name, "map", 3, KNN)(X, labels))
