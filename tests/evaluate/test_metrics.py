"""Metrics against hand-counted examples, scikit-learn, and resampling done the long way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_recall_curve

from sdr.base.errors import UserError
from sdr.evaluate.metrics import bootstrap_interval, per_class, score


def eleven_points(y: np.ndarray, scores: np.ndarray) -> float:
    """VOC2007's average precision on scikit-learn's curve."""
    precision, recall, _ = precision_recall_curve(y, scores)
    return 100 * np.mean([precision[recall >= t / 10 - 1e-12].max() for t in range(11)])


def single(n=60, classes=4, seed=0):
    random = np.random.default_rng(seed)
    targets = random.integers(classes, size=n)
    return random.normal(size=(n, classes)) + np.eye(classes)[targets], targets


def multi(n=60, classes=4, seed=0, decimals=6):
    random = np.random.default_rng(seed)
    targets = random.random((n, classes)) < 0.3
    targets[0] = True
    return np.round(random.normal(size=(n, classes)) + targets, decimals), targets


def test_accuracies_by_hand():
    scores = np.array([[2, 1, 0], [0, 1, 2], [0, 3, 1], [1, 1, 0], [0, 0, 1]])
    targets = np.array([0, 1, 1, 0, 0])
    assert score("top1", scores, targets) == 60  # right: items 0, 2, and 3, whose tie goes to the lower class
    np.testing.assert_allclose(per_class("top1", scores, targets), [200 / 3, 50, np.nan])
    assert score("mean_per_class", scores, targets) == pytest.approx((200 / 3 + 50) / 2)


def test_average_precision_by_hand():
    scores = np.array([[0.9], [0.8], [0.7], [0.6]])
    targets = np.array([[True], [False], [True], [False]])
    # Recall 0 … 0.5 at precision 1 (6 points), 0.6 … 1 at precision 2/3 (5 points).
    assert score("map", scores, targets) == pytest.approx(100 * (6 + 5 * 2 / 3) / 11)
    # The other way round: 1 at recall 0, then 1/2 at every recall.
    assert score("map", -scores, targets) == pytest.approx(100 * (1 + 10 / 2) / 11)


@pytest.mark.parametrize("seed", range(3))
def test_accuracies_equal_scikit_learn(seed):
    scores, targets = single(seed=seed)
    assert score("top1", scores, targets) == pytest.approx(100 * accuracy_score(targets, scores.argmax(1)))
    expected = 100 * balanced_accuracy_score(targets, scores.argmax(1))
    assert score("mean_per_class", scores, targets) == pytest.approx(expected)


@pytest.mark.parametrize("decimals", [0, 1, 6])  # few decimals: many equal scores
@pytest.mark.parametrize("seed", range(3))
def test_average_precision_equals_scikit_learns_curve(decimals, seed):
    scores, targets = multi(seed=seed, decimals=decimals)
    expected = [eleven_points(targets[:, c], scores[:, c]) for c in range(4)]
    np.testing.assert_allclose(per_class("map", scores, targets), expected)
    assert score("map", scores, targets) == pytest.approx(np.mean(expected))


def test_classes_without_positives_are_left_out_of_the_mean():
    scores, targets = multi()
    targets[:, 2] = False
    each = per_class("map", scores, targets)
    assert np.isnan(each[2]) and score("map", scores, targets) == pytest.approx(np.nanmean(each))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_order_of_items_and_monotone_maps_change_nothing(n, seed):
    scores, targets = multi(n, seed=seed, decimals=1)
    order = np.random.default_rng(seed).permutation(n)
    expected = score("map", scores, targets)
    assert score("map", scores[order], targets[order]) == pytest.approx(expected)
    assert score("map", np.exp(3 * scores) - 7, targets) == pytest.approx(expected)
    assert 0 <= expected <= 100
    assert score("map", targets.astype(float), targets) == 100


def test_unseen_classes_may_score_minus_infinity():
    scores, targets = single()
    scores[:, 1] = -np.inf
    assert per_class("top1", scores, targets)[1] == 0
    scores, targets = multi()
    scores[:, 1] = -np.inf
    assert per_class("map", scores, targets)[1] == pytest.approx(100 * (1 + 10 * targets[:, 1].mean()) / 11)


@pytest.mark.parametrize("metric, make", [("top1", single), ("mean_per_class", single), ("map", multi)])
def test_bootstrap_equals_resampling_the_items(metric, make):
    scores, targets = make(30)
    weights = np.random.default_rng(7).multinomial(30, np.full(30, 1 / 30), size=200)
    each = []
    for counts in weights:
        items = np.repeat(np.arange(30), counts)
        each.append(score(metric, scores[items], targets[items]))
    expected = np.percentile(each, [2.5, 97.5])
    np.testing.assert_allclose(bootstrap_interval(scores, targets, metric, 7, n=200), expected)


@pytest.mark.parametrize("metric, make", [("top1", single), ("mean_per_class", single), ("map", multi)])
def test_interval_holds_the_score_and_narrows(metric, make):
    widths = []
    for n in (40, 640):
        scores, targets = make(n)
        low, high = bootstrap_interval(scores, targets, metric, 0, n=400)
        assert 0 <= low <= score(metric, scores, targets) <= high <= 100
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]


def test_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        right = random.random(100) < 0.7
        low, high = bootstrap_interval(np.eye(2)[right.astype(int)], np.ones(100, int), "top1", seed, n=300)
        covered += low <= 70 <= high
    assert 0.88 < covered / 200 <= 1


def test_interval_is_a_function_of_the_seed():
    scores, targets = single(50)
    assert bootstrap_interval(scores, targets, "top1", 1) == bootstrap_interval(scores, targets, "top1", 1)
    assert bootstrap_interval(scores, targets, "mean_per_class", 1) != bootstrap_interval(
        scores, targets, "mean_per_class", 2
    )


def test_bad_input():
    scores, targets = single()
    with pytest.raises(UserError, match="unknown"):
        score("accuracy", scores, targets)
    with pytest.raises(UserError, match="wants bool"):
        score("map", scores, targets)
    with pytest.raises(UserError, match="wants integer"):
        score("top1", scores, np.eye(4, dtype=bool)[targets])
    with pytest.raises(UserError, match="has any label"):
        score("map", scores, np.zeros((60, 4), bool))
    with pytest.raises(UserError, match="least one"):
        score("top1", scores[:0], targets[:0])
    scores[3, 1] = np.nan
    with pytest.raises(UserError, match="NaN"):
        score("top1", scores, targets)
