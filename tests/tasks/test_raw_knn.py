import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from sdr.tasks.raw_knn import raw_knn


@pytest.mark.parametrize("classes", [2, 4])
def test_equals_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    labels, asked = rng.integers(0, classes, 120), rng.integers(0, classes, 70)
    means = rng.normal(128, 4, (classes, 32, 32, 3))
    train, test = (
        np.clip(means[of] + rng.normal(0, 60, (len(of), 32, 32, 3)), 0, 255).astype(np.uint8) for of in (labels, asked)
    )
    reference = KNeighborsClassifier(5, algorithm="brute").fit(train.reshape(120, -1) / 255, labels)
    expected = 100 * reference.score(test.reshape(70, -1) / 255, asked)
    assert raw_knn(train, labels, test, asked) == pytest.approx(expected)
    assert 100 / classes < expected < 100  # neither trivial nor impossible


def test_pictures_of_another_size_are_shrunk():
    train = np.zeros((10, 64, 64, 3), dtype=np.uint8)
    train[5:] = 200
    labels = np.repeat([0, 1], 5)
    assert raw_knn(train, labels, train, labels) == 100.0
    assert raw_knn(train, labels, train, 1 - labels) == 0.0
