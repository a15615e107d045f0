"""The linear protocol: choice of the penalty, refit, multi-label convention, and awkward tasks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sdr.base.errors import UserError
from sdr.evaluate import metrics
from sdr.evaluate.linear import Linear, choose_penalty, evaluate, fit_path, hold_out


def section(**changes) -> Linear:
    values = {
        "penalties": 7,
        "log10_min": -4,
        "log10_max": 4,
        "tolerance": 1e-8,
        "max_iterations": 100,
        "val_fraction": 0.2,
    }
    return Linear(**{**values, **changes})


def task(n=120, n_test=80, classes=3, dim=10, seed=0):
    random = np.random.default_rng(seed)
    centre = random.normal(size=(classes, dim))
    y, test_y = random.integers(classes, size=n), random.integers(classes, size=n_test)
    x, test_x = (centre[t] + 1.5 * random.normal(size=(len(t), dim)) for t in (y, test_y))
    return x.astype(np.float32), y, test_x.astype(np.float32), test_y


NAMES = ["ant", "bee", "cat"]


def sklearn_scores(x, y, test_x, penalty):
    model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000).fit(x.astype(np.float64), y)
    return model.decision_function(test_x.astype(np.float64))


def test_the_grid_is_the_protocols():
    grid = section(penalties=45, log10_min=-6, log10_max=5).grid()
    assert len(grid) == 45 and grid[0] == pytest.approx(1e-6) and grid[-1] == pytest.approx(1e5)
    assert grid[1] / grid[0] == pytest.approx(10**0.25)


def test_equals_the_protocol_done_with_scikit_learn():
    x, y, test_x, test_y = task()
    result = evaluate(x, y, None, test_x, test_y, NAMES, "top1", section(), seed=0)
    train, val = hold_out(len(x))
    best, best_score = None, -1
    for penalty in section().grid():  # C from the largest down, ties stay with the first
        correct = np.mean(sklearn_scores(x[train], y[train], x[val], penalty).argmax(1) == y[val])
        if correct > best_score:
            best, best_score = penalty, correct
    expected = np.mean(sklearn_scores(x, y, test_x, best).argmax(1) == test_y)
    assert result["penalty"] == best
    assert result["val"] == pytest.approx(100 * best_score)
    assert result["linear"] == pytest.approx(100 * expected)
    low, high = result["linear_interval"]
    assert low <= result["linear"] <= high
    assert result["converged"] and result["dim"] == 10
    assert result["penalty_at_edge"] == (best in (section().grid()[0], section().grid()[-1]))
    assert list(result["per_class"]) == NAMES


def test_an_official_validation_split_is_used_and_refitted_with():
    x, y, test_x, test_y = task()
    val = x[80:], y[80:]
    result = evaluate(x[:80], y[:80], val, test_x, test_y, NAMES, "mean_per_class", section(), seed=0)
    penalty, score = choose_penalty((x[:80], y[:80]), val, 3, "mean_per_class", section())
    assert (result["penalty"], result["val"]) == (penalty, score)
    expected = metrics.score("mean_per_class", sklearn_scores(x, y, test_x, penalty), test_y)
    assert result["linear"] == pytest.approx(expected)


def test_ties_go_to_the_weakest_penalty_and_edges_are_told():
    x = np.concatenate([np.zeros((20, 2)), np.ones((20, 2))]).astype(np.float32)
    y = np.repeat([0, 1], 20)
    result = evaluate(x, y, (x, y), x, y, ["a", "b"], "top1", section(), seed=0)
    assert result["penalty"] == pytest.approx(1e-4) and result["penalty_at_edge"]
    assert result["linear"] == 100 and result["val"] == 100
    one = evaluate(x, y, (x, y), x, y, ["a", "b"], "top1", section(penalties=1, log10_min=0, log10_max=0), seed=0)
    assert one["penalty"] == 1 and not one["penalty_at_edge"]


def test_multilabel_is_one_binary_problem_a_class_with_twice_c():
    x, _, test_x, _ = task()
    y = np.random.default_rng(1).random((120, 3)) < 0.4
    (fit,) = fit_path(x, y, 3, [0.5], section())
    expected = [sklearn_scores(x, y[:, c], test_x, 0.25) for c in range(3)]
    np.testing.assert_allclose(fit.scores(test_x), np.stack(expected, axis=1), atol=1e-3)
    result = evaluate(x, y, None, test_x, np.roll(y, 3, 0)[:80], NAMES, "map", section(), seed=0)
    assert 0 <= result["linear"] <= 100 and len(result["per_class"]) == 3


def test_a_class_absent_from_training_is_never_predicted():
    x, y, test_x, test_y = task()
    train, val = hold_out(120)
    y = np.where(y == 1, 0, y)
    y[val[0]] = 1  # the one image of its class goes into validation
    result = evaluate(x, y, None, test_x, test_y, NAMES, "top1", section(), seed=0)
    assert np.isfinite(result["linear"]) and np.isfinite(result["val"])
    (fit,) = fit_path(x[train], y[train], 3, [1.0], section())
    scores = fit.scores(test_x)
    assert (scores[:, 1] == -np.inf).all() and np.isfinite(scores[:, [0, 2]]).all()


def test_multilabel_classes_without_either_answer():
    x, _, test_x, _ = task()
    y = np.random.default_rng(1).random((120, 3)) < 0.4
    y[:, 0], y[:, 1] = True, False
    (fit,) = fit_path(x, y, 3, [1.0], section())
    assert (fit.scores(test_x)[:, :2] == -np.inf).all()
    test_y = np.zeros((80, 3), bool)
    test_y[::2] = [True, False, True]
    result = evaluate(x, y, None, test_x, test_y, NAMES, "map", section(), seed=0)
    assert result["per_class"]["bee"] is None and result["per_class"]["ant"] == pytest.approx(600 / 11)


def test_all_training_images_of_one_class():
    x, y, test_x, test_y = task()
    result = evaluate(x, np.full(120, 2), None, test_x, test_y, NAMES, "top1", section(), seed=0)
    assert result["linear"] == pytest.approx(100 * np.mean(test_y == 2))


def test_order_of_penalties_and_images_changes_nothing():
    x, y, test_x, _ = task()
    order = np.random.default_rng(0).permutation(120)
    one = {fit.solution.penalty: fit.scores(test_x) for fit in fit_path(x, y, 3, [0.01, 1.0, 100.0], section())}
    two = fit_path(x[order], y[order], 3, [100.0, 0.01, 1.0], section())
    for fit in two:
        np.testing.assert_allclose(fit.scores(test_x), one[fit.solution.penalty], rtol=1e-3, atol=1e-3)


def test_features_that_are_not_finite():
    x, y, test_x, test_y = task()
    x[0, 0] = np.inf
    with pytest.raises(UserError, match="NaN or infinity"):
        evaluate(x, y, None, test_x, test_y, NAMES, "top1", section(), seed=0)


@pytest.mark.parametrize("n", [10, 2416, 8144])
def test_held_out_images_are_the_protocols(n):
    state = np.random.get_state()
    np.random.seed(0)
    indices = list(range(n))
    np.random.shuffle(indices)
    np.random.set_state(state)
    train, val = hold_out(n)
    assert val.tolist() == indices[: int(0.2 * n)] and train.tolist() == indices[int(0.2 * n) :]


def test_first_indices_held_out_are_pinned():
    assert hold_out(10)[1].tolist() == [2, 8]


@given(st.integers(2, 300), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_hold_out_is_a_partition_with_both_sides(n, fraction, seed):
    train, val = hold_out(n, fraction, seed)
    assert sorted([*train, *val]) == list(range(n))
    assert len(train) >= 1 and len(val) == max(1, int(np.floor(fraction * n)))
    assert train.dtype == val.dtype == np.int64


def test_hold_out_leaves_the_global_random_state_alone():
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    hold_out(100)
    assert np.random.rand() == expected


def test_nothing_is_held_out_of_one_image():
    with pytest.raises(UserError, match="at least 2"):
        hold_out(1)
