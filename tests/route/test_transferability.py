"""LogME against a maximisation of the dense Gaussian density, the H-score against its definition on
scikit-learn's covariance; closed forms, bounds, and what must not matter to either."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, ortho_group
from sklearn.covariance import LedoitWolf

from sdr.base.errors import UserError
from sdr.route.transferability import hscore, logme

SCORES = [logme, hscore]


def data(n=40, dim=8, classes=4, seed=0, spread=1.0):
    """Features of uneven scale around class means, and classes that all occur where n allows it."""
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(n) % classes)
    x = random.normal(size=(n, dim)) + spread * random.normal(size=(classes, dim))[label]
    return x * np.geomspace(1, 0.05, dim) + 0.3, label


def multilabel(n=40, classes=5, seed=0):
    y = np.random.default_rng(seed).random((n, classes)) < 0.4
    y[0], y[1] = True, False
    return y


def columns(y, n_classes):
    every = [y == c for c in range(n_classes)] if y.ndim == 1 else list(y.T)
    return [column for column in every if column.any() and not column.all()]


def dense_evidence(x, target, alpha, beta):
    """log p(y) of y = Xw + ε with w integrated out; very low where the covariance is singular to float64."""
    covariance = np.eye(len(x)) / beta + x @ x.T / alpha
    try:
        return multivariate_normal.logpdf(target, np.zeros(len(x)), covariance)
    except np.linalg.LinAlgError:
        return -1e9


def climb(x, target, start):
    """Maximum log evidence over (log α, log β), uphill from a start."""
    return -minimize(
        lambda log: -dense_evidence(x, target, *np.exp(log)),
        start,
        method="Nelder-Mead",
        bounds=[(-25, 25)] * 2,
        options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000},
    ).fun


STARTS = [(a, b) for a in (-6, 0, 6) for b in (0, 6, 14)]


def brute_force_logme(x, y, n_classes):
    return np.mean(
        [max(climb(x, column * 1.0, start) for start in STARTS) / len(x) for column in columns(y, n_classes)]
    )


def direct_hscore(x, y, n_classes):
    """The definition, a matrix at a time."""
    x = x.astype(np.float64)
    fit = LedoitWolf().fit(x)

    def trace(groups):
        of_class = np.zeros_like(x)
        for group in groups:
            of_class[group] = x[group].mean(axis=0)
        between = np.cov(of_class, rowvar=False, bias=True)
        return np.trace(np.linalg.pinv(fit.covariance_) @ ((1 - fit.shrinkage_) * between))

    if y.ndim == 1:
        return trace(columns(y, n_classes))
    return np.mean([trace([column, ~column]) for column in columns(y, n_classes)])


# More images than features, fewer, as many; one feature; two images
SHAPES = [(14, 4, 3), (10, 25, 3), (8, 8, 2), (12, 1, 2), (2, 3, 2)]


@pytest.mark.parametrize("n, dim, classes", SHAPES)
def test_logme_equals_brute_force(n, dim, classes):
    x, y = data(n, dim, classes, seed=n)
    assert logme(x, y, classes) == pytest.approx(brute_force_logme(x, y, classes), abs=1e-6)


def test_multilabel_logme_equals_brute_force():
    x, y = data(12, 5)[0], multilabel(12, 3)
    assert logme(x, y, 3) == pytest.approx(brute_force_logme(x, y, 3), abs=1e-6)


@pytest.mark.parametrize("n_noise, winner", [(14, "exact"), (20, "noisy")])
def test_logme_finds_the_higher_of_two_maxima(n_noise, winner):
    random = np.random.default_rng(3)
    y = np.arange(30) % 2
    first, last = y + 0.5 * random.normal(size=30), y + 0.01 * random.normal(size=30)
    x = np.column_stack([first, 0.1 * random.normal(size=(30, n_noise)), 0.03 * last])
    # The class as a noisy reading of the first feature, or an exact one of the last, which is small
    maxima = {"noisy": climb(x, y * 1.0, (1, 2)), "exact": climb(x, y * 1.0, (-4, 10))}
    assert maxima[winner] == max(maxima.values()) > min(maxima.values()) + 1
    assert logme(x, y[:, None] == 1, 1) == pytest.approx(maxima[winner] / 30, abs=1e-6)


@pytest.mark.parametrize("each", [1, 2, 50])
def test_logme_of_classes_as_features(each):
    y = np.repeat(np.arange(4), each)
    # By hand, since all eigenvalues are equal. An exact fit: the best ratio is the smallest there is
    nothing = -np.log(2 * np.pi * np.e / 4) / 2
    expected = nothing + (1 - 1 / each) / 2 * np.log(1e12 + 1)
    assert logme(np.eye(4)[y], y, 4) == pytest.approx(expected, abs=1e-6)


def test_logme_of_features_that_say_nothing():
    y = multilabel(40, 3)
    expected = np.mean(-np.log(2 * np.pi * np.e * y.mean(axis=0)) / 2)
    assert logme(np.zeros((40, 6)), y, 3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n, dim, classes", [*SHAPES[:3], (200, 10, 5), (60, 200, 5)])
def test_hscore_equals_definition(n, dim, classes):
    x, y = data(n, dim, classes, seed=n)
    if dim > 1:
        assert LedoitWolf().fit(x).shrinkage_ > 0.003  # or the test would not see it
    assert hscore(x, y, classes) == pytest.approx(direct_hscore(x, y, classes), rel=1e-9)


@pytest.mark.parametrize("n, dim", [(50, 6), (20, 60)])
def test_multilabel_hscore_equals_definition(n, dim):
    x, y = data(n, dim)[0], multilabel(n, 5)
    assert hscore(x, y, 5) == pytest.approx(direct_hscore(x, y, 5), rel=1e-9)


def test_hscore_of_one_feature_is_the_explained_share_of_its_variance():
    x, y = data(60, 1, 3)
    within = sum(((x[y == c] - x[y == c].mean()) ** 2).sum() for c in range(3))
    assert hscore(x, y, 3) == pytest.approx(1 - within / ((x - x.mean()) ** 2).sum(), rel=1e-12)


def test_hscore_of_equal_features_is_0():
    assert hscore(np.full((10, 4), 0.1), np.arange(10) % 3, 3) == 0


def test_hscore_is_0_where_the_shrinkage_is_complete():
    x = np.random.default_rng(3).normal(size=(20, 5))
    assert LedoitWolf().fit(x).shrinkage_ == 1
    assert hscore(x, np.arange(20) % 2, 2) == 0


def test_hscore_of_a_class_and_its_complement():
    x, y = data(30, 6, 2)
    assert hscore(x, np.column_stack([y == 0, y == 1]), 2) == pytest.approx(hscore(x, y, 2), rel=1e-12)


def test_logme_treats_labels_as_columns():
    x, y = data()
    assert logme(x, y[:, None] == np.arange(4), 4) == pytest.approx(logme(x, y, 4), rel=1e-12)


CASES = {
    "n": st.integers(2, 25),
    "dim": st.integers(1, 25),
    "classes": st.integers(2, 5),
    "several": st.booleans(),
    "seed": st.integers(0, 10**6),
}


def case(n, dim, classes, several, seed):
    x, y = data(n, dim, classes, seed, spread=seed % 3)
    return x, multilabel(n, classes, seed) if several else y


@pytest.mark.parametrize("score", SCORES)
@settings(max_examples=60, deadline=None)
@given(**CASES)
def test_what_does_not_matter(score, n, dim, classes, several, seed):
    x, y = case(n, dim, classes, several, seed)
    random = np.random.default_rng(seed)
    expected = pytest.approx(score(x, y, classes), rel=1e-6, abs=1e-6)
    if dim > 1:
        assert score(x @ ortho_group.rvs(dim, random_state=seed), y, classes) == expected
    assert score(1e-7 * x, y, classes) == expected
    assert score((1e30 * x).astype(np.float32).astype(np.float64) / 1e30, y, classes) == pytest.approx(
        score((1e30 * x).astype(np.float32), y, classes), rel=1e-6, abs=1e-6
    )
    images, order = random.permutation(n), random.permutation(classes)
    assert score(x[images], y[images], classes) == expected
    assert score(x, y[:, order] if several else order[y], classes) == expected
    # Classes that no image has; of several labels, also one that every image has
    more = np.column_stack([np.zeros(n, bool), y, np.ones(n, bool)]) if several else y + 1
    assert score(x, more, classes + 2) == expected


@settings(max_examples=60, deadline=None)
@given(**CASES)
def test_bounds(n, dim, classes, several, seed):
    x, y = case(n, dim, classes, several, seed)
    used = columns(y, classes)
    limit = 1 if several else min(dim, len(used) - 1)
    assert 0 <= hscore(x, y, classes) <= limit + 1e-9
    nothing = np.mean([-np.log(2 * np.pi * np.e * column.mean()) / 2 for column in used])
    assert nothing - 1e-6 <= logme(x, y, classes) <= nothing + 13.82


def test_hscore_ignores_the_origin():
    x, y = data(60, 8)
    assert hscore(x + 1e4, y, 4) == pytest.approx(hscore(x, y, 4), rel=1e-9)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("n, dim", [(200, 20), (40, 80)])
def test_features_that_separate_the_classes_score_higher(score, n, dim):
    scores = [score(*data(n, dim, 4, seed=5, spread=spread), 4) for spread in (0, 0.5, 1, 4)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 0.1
    labels = np.column_stack([data(n, dim, 4, seed=5)[1] == c for c in (0, 2)])
    noise, signal = (score(data(n, dim, 4, seed=5, spread=spread)[0], labels, 2) for spread in (0, 4))
    assert signal > noise + 0.1


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("n, dim", [(60, 10), (20, 50)])
def test_float32_is_enough(score, n, dim):
    x, y = data(n, dim)
    single = x.astype(np.float32)
    assert score(single, y, 4) == pytest.approx(score(x, y, 4), rel=1e-4)
    assert score(single, y, 4) == score(single.astype(np.float64), y, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n, dim", [(60, 6), (15, 30)])
def test_copied_and_constant_features_do_no_harm(dtype, n, dim):
    x, y = data(n, dim)
    x = x.astype(dtype)
    assert logme(np.hstack([x, x, 0 * x]), y, 4) == pytest.approx(logme(x, y, 4), rel=1e-9)
    padded = np.column_stack([x, x[:, :2], np.full((n, 2), 0.1, dtype)])
    assert hscore(padded, y, 4) == pytest.approx(direct_hscore(padded, y, 4), rel=1e-7)
    # A large constant is an intercept, which costs LogME little; to the H-score it is one more empty feature
    shifted = np.column_stack([x, np.full(n, 1e3, dtype)])
    assert abs(logme(shifted, y, 4) - logme(x, y, 4)) < 0.2
    empty = np.column_stack([x, np.zeros(n, dtype)])
    assert hscore(shifted, y, 4) == pytest.approx(hscore(empty, y, 4), rel=1e-9)


def test_a_constant_feature_does_no_harm_without_shrinkage():
    y = np.array([0, 1, 0, 1])
    x = y[:, None] * 1.0  # shrinkage is 0, so nothing would hide a direction of rounding
    padded = np.column_stack([x, np.full(4, 1e6 / 3)])
    assert hscore(padded, y, 2) == pytest.approx(hscore(x, y, 2), rel=1e-9) == 1


@pytest.mark.parametrize("score", SCORES)
def test_input_is_left_alone(score):
    x, y = data()
    labels = multilabel()
    before = x.copy(), y.copy(), labels.copy()
    score(x, y, 4), score(x, labels, 5)
    for now, then in zip((x, y, labels), before):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("score", SCORES)
def test_bad_input(score):
    x, y = data()
    with pytest.raises(UserError, match="at least 2 labelled images, got 1; add images"):
        score(x[:1], y[:1], 4)
    for bad in (np.nan, np.inf):
        broken = x.copy()
        broken[3, 3] = bad
        with pytest.raises(UserError, match="NaN or infinity; look for"):
            score(broken, y, 4)
    of_all = np.repeat([[True, False, True, True]], 40, axis=0)
    for labels in (np.zeros(40, np.int64), np.zeros((40, 4), bool), of_all):
        with pytest.raises(UserError, match="no class of 4 has both .* check the labels"):
            score(x, labels, 4)
