"""The temperature against scipy's optimum, and the numbers that judge probabilities against other hands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss as sklearn_log_loss

from sdr.evaluate.temperature import calibration_error, log_loss, softmax, temperature


def toy(n=400, classes=4, scale=1.0, seed=0):
    """Logits whose softmax is the truth once they are divided by `scale`."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, classes)) * 2
    targets = np.array([random.choice(classes, p=p) for p in softmax(logits)])
    return logits * scale, targets


@given(st.floats(0.2, 8), st.integers(0, 20))
def test_is_scipys_optimum(scale, seed):
    logits, targets = toy(scale=scale, seed=seed)
    best = minimize_scalar(lambda t: log_loss(logits / np.exp(t), targets), bounds=(-4, 4), method="bounded")
    assert temperature(logits, targets) == pytest.approx(np.exp(best.x), rel=1e-3)


@pytest.mark.parametrize("scale", [0.3, 4.0])
def test_calibrates_other_images_too(scale):
    (logits, targets), (others, answers) = toy(2000, scale=scale), toy(2000, scale=scale, seed=1)
    t = temperature(logits, targets)
    assert t == pytest.approx(scale, rel=0.1)
    assert log_loss(others / t, answers) < log_loss(others, answers)
    assert calibration_error(softmax(others / t), answers) < 4 < calibration_error(softmax(others), answers)


@pytest.mark.parametrize("n", [3, 30, 300])
def test_a_few_right_answers_vouch_for_no_certainty(n):
    targets = np.arange(n) % 3
    logits = np.eye(3)[targets]
    assert softmax(logits / temperature(logits, targets)).max() == pytest.approx((n + 1) / (n + 2), abs=1e-6)


def test_useless_logits_become_even_odds():
    logits, targets = toy(2000)
    t = temperature(logits, np.random.default_rng(1).integers(4, size=2000))
    assert softmax(logits / t).max(axis=1).mean() < 0.35


def test_log_loss_is_sklearns_and_infinite_for_a_class_never_seen():
    logits, targets = toy(50)
    assert log_loss(logits, targets) == pytest.approx(sklearn_log_loss(targets, softmax(logits), labels=range(4)))
    logits[:, 0] = -np.inf
    assert log_loss(logits, np.zeros(50, int)) == np.inf


def test_calibration_error_by_hand():
    p = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.6, 0.4]])  # bins of 1/15: .95 twice, .65, .6
    right = np.array([0, 1, 0, 0])
    gap = 2 * abs(0.5 - 0.95) + abs(1 - 0.65) + abs(1 - 0.6)
    assert calibration_error(p, right) == pytest.approx(100 * gap / 4)
