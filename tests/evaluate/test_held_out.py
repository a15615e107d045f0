"""Scores of images by a classifier that has not seen them: against scikit-learn, fold by fold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.evaluate import held_out
from sdr.evaluate.held_out import held_out_scores

sklearn = pytest.importorskip("sklearn.linear_model")


def by_sklearn(x, y, penalty):
    """The same by hand: image i of its class is in fold i mod 5."""
    scores = np.zeros((len(y), y.max() + 1))
    fold = np.array([(y[:i] == y[i]).sum() % 5 for i in range(len(y))])
    for number in range(fold.max() + 1):
        mine = fold == number
        fitted = sklearn.LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10000).fit(x[~mine], y[~mine])
        scores[mine] = fitted.predict_proba(x[mine])
    return scores


@pytest.mark.parametrize("dim", [3, 80])
def test_each_image_is_judged_by_the_others(monkeypatch, dim):
    """More axes than images, too, where the work is done in the span of these."""
    monkeypatch.setattr(
        held_out, "PARAMS", held_out.PARAMS.model_copy(update={"penalties": 1, "log10_min": 0, "log10_max": 0})
    )
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [20, 12, 7]))
    x = rng.normal(size=(len(y), dim)).astype(np.float32) + y[:, None] * 0.3
    found = held_out_scores(x, y, 3)
    found = np.exp(found - found.max(1, keepdims=True))
    np.testing.assert_allclose(found / found.sum(1, keepdims=True), by_sklearn(x, y, 1.0), atol=2e-3)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100), st.integers(2, 4))
def test_noise_is_guessed_and_a_class_of_two_will_do(seed, n_classes):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat(np.arange(n_classes), 2), rng.integers(n_classes, size=30)])
    found = held_out_scores(rng.normal(size=(len(y), 5)), y, n_classes)
    assert found.shape == (len(y), n_classes) and np.isfinite(found).all()
    assert (found.argmax(1) == y).mean() < 0.85


def test_a_signal_is_found_and_what_is_not_finite_is_told():
    y = np.arange(40) % 2
    x = np.random.default_rng(0).normal(size=(40, 2)) + 6 * y[:, None]
    assert (held_out_scores(x, y, 2).argmax(1) == y).all()
    x[3, 1] = np.nan
    with pytest.raises(UserError, match="NaN"):
        held_out_scores(x, y, 2)
