"""Labels that are several, and raw pixels against scikit-learn's neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from sdr.tasks.checks import joined_labels, raw_knn, spelt_alike, torn


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


@pytest.mark.parametrize(
    ("labels", "several"),
    [
        (["cat", "dog", "cat,dog"], ["cat,dog"]),
        (["cat|dog", "dog|bird", "bird|cat"], ["bird|cat", "cat|dog", "dog|bird"]),
        (["cat / dog", "cat", "dog"], ["cat / dog"]),
        (["salt, pepper", "cat"], []),  # a name with a comma
        (["a/abbey", "b/barn", "c,"], []),
        (["black and white", "black", "white"], []),
        ([], []),
    ],
)
def test_several_labels_in_one_text_are_named(labels, several):
    assert joined_labels(labels) == several


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (["cat", "dog"], []),
        (["cat", "Cat"], [("Cat", "cat")]),
        (["red fox", "Red-Fox", "red_fox", "fox"], [("Red-Fox", "red fox"), ("Red-Fox", "red_fox")]),
        (["STRASSE", "straße"], [("STRASSE", "straße")]),
        (["1", "-1"], []),
    ],
)
def test_labels_that_are_spelt_alike_are_named(labels, pairs):
    assert spelt_alike(labels) == pairs


def test_one_content_with_two_labels_is_found():
    rows = [("1", "A", "cat"), ("2", "B", "cat"), ("3", "A", "dog"), ("4", "B", "cat"), ("5", "A", "cat")]
    assert torn(rows) == [("1", "3")]
