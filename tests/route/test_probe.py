"""The leave-one-out identity against N fits."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sdr.base.errors import UserError
from sdr.route import probe as module
from sdr.route.probe import probe


@pytest.mark.parametrize("shape", [(14, 5), (9, 20)])
@pytest.mark.parametrize("several", [False, True])
def test_it_is_a_fit_without_each_image(shape, several, monkeypatch):
    random = np.random.default_rng(0)
    n, penalty = shape[0], 0.3
    x = random.normal(2, 3, shape)
    x[:, 0] = 7.0  # says nothing
    y = random.random((n, 3)) < 0.4 if several else random.integers(0, 3, n)
    monkeypatch.setattr(module, "_PENALTIES", np.array([penalty]))
    standard = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    target = y.astype(float) if several else np.eye(3)[y]
    for i, found in enumerate(probe(x, y, 3)):
        rest = np.arange(n) != i
        fit = Ridge(alpha=penalty * n).fit(standard[rest], target[rest])
        np.testing.assert_allclose(found, fit.predict(standard[i : i + 1])[0], rtol=1e-6, atol=1e-8)


def test_the_penalty_is_chosen_on_images_left_out():
    """Pure noise is shrunk to the class shares; a clear signal is not."""
    random = np.random.default_rng(1)
    y = np.arange(60) % 2
    noise, signal = random.normal(size=(60, 40)), random.normal(size=(60, 40))
    signal[:, 0] += 6 * y
    assert np.abs(probe(noise, y, 2) - 0.5).max() < 0.2
    assert (probe(signal, y, 2).argmax(1) == y).mean() > 0.9


def test_bad_features_are_told():
    with pytest.raises(UserError, match="3 labelled images"):
        probe(np.ones((2, 4)), np.array([0, 1]), 2)
    with pytest.raises(UserError, match="NaN"):
        probe(np.full((4, 2), np.nan), np.array([0, 1, 0, 1]), 2)
