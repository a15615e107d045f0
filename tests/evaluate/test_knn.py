"""Nearest neighbours against a float64 brute force, scikit-learn, and the properties of ties and copies."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from sdr.base.errors import UserError
from sdr.evaluate import knn
from sdr.evaluate.knn import knn_scores, leave_one_out


def brute_force(train_x, train_y, test_x, n_classes, k, temperature):
    """The definition, an image at a time."""
    unit = [
        x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True) for x in (train_x, test_x)
    ]
    scores = np.zeros((len(test_x), n_classes))
    for i, query in enumerate(unit[1]):
        cosine = unit[0] @ query
        nearest = sorted(range(len(cosine)), key=lambda j: (-round(cosine[j], 6), j))[:k]
        for j in nearest:
            vote = np.exp(cosine[j] / temperature)
            if train_y.ndim == 2:
                scores[i] += vote * train_y[j]
            else:
                scores[i, train_y[j]] += vote
        scores[i] /= sum(np.exp(cosine[j] / temperature) for j in nearest)
    return scores


def data(n_train=80, n_test=30, classes=5, dim=12, seed=0):
    random = np.random.default_rng(seed)
    label = random.integers(classes, size=n_train)
    train = (random.normal(size=(n_train, dim)) + np.eye(classes, dim)[label]).astype(np.float32)
    return train, label, random.normal(size=(n_test, dim)).astype(np.float32)


ENGINES = [np.asarray, torch.as_tensor]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("k", [1, 5, 20, 80, 500])
@pytest.mark.parametrize("temperature", [0.07, 1.0, 0.005])
def test_equals_brute_force(engine, k, temperature):
    train, label, test = data()
    scores = knn_scores(engine(train), label, engine(test), 5, k, temperature)
    np.testing.assert_allclose(scores, brute_force(train, label, test, 5, k, temperature), atol=1e-4)
    np.testing.assert_allclose(scores.sum(axis=1), 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_multilabel_equals_brute_force(engine):
    train, _, test = data()
    targets = np.random.default_rng(1).random((80, 6)) < 0.3
    scores = knn_scores(engine(train), targets, engine(test), 6, 7, 0.1)
    np.testing.assert_allclose(scores, brute_force(train, targets, test, 6, 7, 0.1), atol=1e-5)


def test_equals_scikit_learn():
    train, label, test = data(seed=3)
    oracle = KNeighborsClassifier(9, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.1))
    expected = oracle.fit(train, label).predict_proba(test)
    np.testing.assert_allclose(knn_scores(train, label, test, 5, 9, 0.1), expected, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 12), k=st.integers(1, 15), copies=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_leave_one_out_is_each_against_the_rest(engine, n, k, copies, seed):
    x, label, _ = data(n, 1, 3, 4, seed)
    x, label = (
        np.tile(x, (copies, 1)),
        np.concatenate([label, np.random.default_rng(seed).integers(3, size=n * (copies - 1))]),
    )
    scores = leave_one_out(engine(x), label, 3, k, 0.2)
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        expected = brute_force(x[rest], label[rest], x[i : i + 1], 3, k, 0.2)
        np.testing.assert_allclose(scores[i : i + 1], expected, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_never_votes_for_itself_but_its_copies_do(engine):
    x = np.zeros((30, 3), np.float32) + 1
    label = np.zeros(30, np.int64)
    label[7] = 1
    scores = leave_one_out(engine(x), label, 2, 29, 0.07)
    assert scores[7, 1] == 0 and scores[7, 0] == pytest.approx(1)
    np.testing.assert_allclose(np.delete(scores[:, 1], 7), 1 / 29)


@pytest.mark.parametrize("engine", ENGINES)
def test_ties_go_to_the_lower_index(engine):
    x = np.ones((50, 3), np.float32)
    scores = knn_scores(engine(x), np.arange(50), engine(x[:4]), 50, 3, 0.07)
    np.testing.assert_allclose(scores, np.tile([1 / 3] * 3 + [0] * 47, (4, 1)))
    scores = leave_one_out(engine(x), np.arange(50), 50, 3, 0.07)
    assert np.flatnonzero(scores[1]).tolist() == [0, 2, 3]
    assert np.flatnonzero(scores[40]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("engine", ENGINES)
def test_scale_of_features_is_irrelevant(engine):
    train, label, test = data()
    one = knn_scores(engine(train), label, engine(test), 5, 5, 0.07)
    scaled = train * np.linspace(0.1, 100, 80, dtype=np.float32)[:, None]
    np.testing.assert_allclose(knn_scores(engine(scaled), label, engine(test * 1e4), 5, 5, 0.07), one, atol=1e-4)


def test_chunks_change_nothing(monkeypatch):
    train, label, _ = data()
    x = torch.as_tensor(train)
    whole = leave_one_out(x, label, 5, 4, 0.1)
    monkeypatch.setattr(knn, "_CHUNK", 80 * 7)
    np.testing.assert_allclose(leave_one_out(x, label, 5, 4, 0.1), whole, atol=1e-6)
    same = torch.ones(80, 3)
    assert leave_one_out(same, label, 5, 4, 0.1)[:, label[:6]].any()


def test_a_class_without_images_gets_no_vote():
    train, label, test = data()
    scores = knn_scores(train, label, test, 9, 5, 0.07)
    assert scores.shape == (30, 9) and not scores[:, 5:].any()


def test_zero_features_do_no_harm():
    scores = leave_one_out(np.zeros((6, 4), np.float32), np.arange(6) % 2, 2, 3, 0.07)
    assert np.isfinite(scores).all()


def test_bad_input():
    with pytest.raises(UserError, match="at least 2"):
        leave_one_out(np.ones((1, 3), np.float32), np.zeros(1, np.int64), 1, 5, 0.07)
    train, label, test = data()
    train[4, 4] = np.nan
    with pytest.raises(UserError, match="NaN"):
        knn_scores(train, label, test, 5, 5, 0.07)


def test_more_class_scores_than_fit_are_refused(monkeypatch):
    monkeypatch.setattr("sdr.evaluate.knn._MOST_SCORES", 59)
    x, y = np.eye(6, dtype=np.float32), np.arange(6)
    with pytest.raises(UserError, match="kNN scores of 6 images for 10 classes would take 0 GiB; give fewer"):
        knn_scores(x, y, x, 10, 3, 0.1)
    knn_scores(x, y, x, 9, 3, 0.1)
