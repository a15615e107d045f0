"""The same picture twice, and raw pixels against scikit-learn's neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from sdr.tasks.checks import EXAMPLES, overlap, raw_knn


def test_contents_in_two_splits_and_copies_in_one():
    found = overlap(
        {
            "train": [("t1", "A"), ("t2", "B"), ("t3", "A"), ("t4", "A")],
            "val": [("v1", "C"), ("v2", "B")],
            "test": [("s1", "A"), ("s2", "D"), ("s3", "A")],
        }
    )
    assert found["overlap"] == {"train-val": 1, "train-test": 1, "val-test": 0}
    assert found["overlap_examples"] == {"train-val": [["t2", "v2"]], "train-test": [["t1", "s1"]]}
    assert found["duplicates"] == {"train": 2, "val": 0, "test": 1}
    assert found["duplicate_examples"] == {"train": [["t1", "t3"], ["t1", "t4"]], "test": [["s1", "s3"]]}


def test_an_image_that_a_list_repeats_is_a_copy_too():
    assert overlap({"train": [("t1", "A"), ("t1", "A")]})["duplicates"] == {"train": 1}


def test_many_are_counted_and_few_are_named():
    same = [(f"{n}", f"{n}") for n in range(3 * EXAMPLES)]
    found = overlap({"train": same, "test": same})
    assert found["overlap"] == {"train-test": 3 * EXAMPLES}
    assert len(found["overlap_examples"]["train-test"]) == EXAMPLES


@pytest.mark.parametrize("classes", [2, 4])
def test_raw_pixels_score_as_with_scikit_learn(classes):
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


def test_raw_pixels_of_another_size_are_shrunk():
    train = np.zeros((10, 64, 64, 3), dtype=np.uint8)
    train[5:] = 200
    labels = np.repeat([0, 1], 5)
    assert raw_knn(train, labels, train, labels) == 100.0
    assert raw_knn(train, labels, train, 1 - labels) == 0.0
