"""The solver against scikit-learn's, stationarity by autograd, and independence of the path."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from sdr.evaluate.newton import Problem, Sigmoid, Softmax


def data(n: int, d: int, classes: int, seed: int = 0, spread: float = 1.0) -> tuple[torch.Tensor, np.ndarray]:
    """Non-negative features with a large common mean, like a network's; separable if n or spread is small."""
    random = np.random.default_rng(seed)
    label = np.arange(n) % classes
    x = np.maximum(0, 1 + spread * random.normal(size=(n, d)) + random.normal(size=(classes, d))[label])
    return torch.as_tensor(x), label


def onehot(label: np.ndarray, classes: int) -> torch.Tensor:
    return torch.as_tensor(np.eye(classes)[label])


def objective(x, y, weight, bias, penalty, loss) -> torch.Tensor:
    """The definition, by torch's own losses."""
    logits = x @ weight + bias
    if isinstance(loss, Softmax):
        value = cross_entropy(logits, y, reduction="sum")
    else:
        value = binary_cross_entropy_with_logits(logits, y, reduction="sum")
    return value + penalty / 2 * weight.square().sum()


def solve(x, y, loss, penalties, tolerance=1e-6):
    return list(Problem(x, y, loss).path(penalties, tolerance, 100))


def sklearn_fit(x, label, penalty):
    model = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=5000, solver="newton-cholesky")
    model.fit(x.numpy(), label)
    return torch.as_tensor(model.coef_.T.copy()), torch.as_tensor(model.intercept_)


@pytest.mark.parametrize("n, d, classes, spread", [(120, 10, 3, 2.0), (60, 30, 4, 1.0), (30, 50, 5, 1.0)])
@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 1.0, 1e3])
def test_softmax_equals_scikit_learn(n, d, classes, spread, penalty):
    x, label = data(n, d, classes, spread=spread)
    y, loss = onehot(label, classes), Softmax()
    (mine,) = solve(x, y, loss, [penalty])
    theirs = objective(x, y, *sklearn_fit(x, label, penalty), penalty, loss).item()
    assert mine.converged
    assert objective(x, y, mine.weight, mine.bias, penalty, loss).item() == pytest.approx(mine.objective)
    assert mine.objective == pytest.approx(theirs, rel=1e-6)


def test_the_weakest_penalty_on_separable_data():
    x, label = data(40, 20, 4)
    y, loss = onehot(label, 4), Softmax()
    mine = solve(x, y, loss, np.logspace(-6, 0, 10).tolist(), 1e-8)[-1]
    theirs = objective(x, y, *sklearn_fit(x, label, 1e-6), 1e-6, loss).item()
    assert mine.penalty == pytest.approx(1e-6) and mine.converged
    assert mine.objective <= theirs * (1 + 1e-6)
    assert (x @ mine.weight + mine.bias).argmax(1).tolist() == label.tolist()


@pytest.mark.parametrize("penalty", [1e-4, 1.0, 100.0])
def test_sigmoid_equals_scikit_learn_class_by_class(penalty):
    x, _ = data(100, 8, 4, spread=2.0)
    y = torch.as_tensor(np.random.default_rng(0).random((100, 3)) < 0.3).double()
    loss = Sigmoid()
    (mine,) = solve(x, y, loss, [penalty], 1e-8)
    for c in range(3):
        theirs = objective(x, y[:, c : c + 1], *sklearn_fit(x, y[:, c].numpy(), penalty), penalty, loss).item()
        own = objective(x, y[:, c : c + 1], mine.weight[:, c : c + 1], mine.bias[c], penalty, loss).item()
        assert own == pytest.approx(theirs, rel=1e-6)


def test_binary_softmax_is_logistic_regression_with_half_the_penalty():
    """Two symmetric weight vectors ±w/2 cost ‖w‖²/4: hence the factor 2 of the multi-label protocol."""
    x, label = data(80, 6, 2, spread=2.0)
    (two,) = solve(x, onehot(label, 2), Softmax(), [0.5], 1e-10)
    (one,) = solve(x, torch.as_tensor(label[:, None]).double(), Sigmoid(), [0.25], 1e-10)
    torch.testing.assert_close(two.weight[:, 1] - two.weight[:, 0], one.weight[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", [Softmax(), Sigmoid()])
def test_gradient_vanishes(loss):
    x, label = data(90, 7, 3, spread=2.0)
    y = onehot(label, 3)
    for found in solve(x, y, loss, [1e-3, 0.1, 10.0], 1e-10):
        weight, bias = found.weight.clone().requires_grad_(), found.bias.clone().requires_grad_()
        value = objective(x, y, weight, bias, found.penalty, loss)
        gradients = torch.autograd.grad(value, [weight, bias])
        assert max(g.abs().max().item() for g in gradients) < 1e-4
        if isinstance(loss, Softmax):
            assert abs(found.weight.sum(1)).max() < 1e-6  # the penalty leaves nothing common to all classes


def test_any_path_leads_to_the_same_solutions():
    x, label = data(60, 40, 3)
    y, penalties = onehot(label, 3), np.logspace(-5, 4, 19).tolist()
    together = solve(x, y, Softmax(), penalties, 1e-8)
    assert [s.penalty for s in together] == sorted(penalties, reverse=True)
    assert solve(x, y, Softmax(), penalties[::-1], 1e-8)[3].objective == together[3].objective
    for warm in together[::3]:
        (cold,) = solve(x, y, Softmax(), [warm.penalty], 1e-8)
        assert warm.converged and cold.converged
        assert warm.objective == pytest.approx(cold.objective, rel=1e-7)
        torch.testing.assert_close(warm.weight, cold.weight, rtol=1e-2, atol=1e-3 * cold.weight.abs().max().item())


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 30),
    d=st.integers(1, 20),
    classes=st.integers(2, 4),
    log_penalty=st.floats(-4, 4),
    scale=st.sampled_from([1e-3, 1.0, 10.0]),
    seed=st.integers(0, 10**6),
)
def test_no_point_nearby_is_lower(n, d, classes, log_penalty, scale, seed):
    """By more than rounding can tell: beside the relative 1e-7 a billionth of the loss without weights, n log C."""
    x, label = data(n, d, classes, seed)
    x, y, penalty = scale * x, onehot(label, classes), 10**log_penalty
    (found,) = solve(x, y, Softmax(), [penalty], 1e-8)
    assert found.converged and np.isfinite(found.objective) and found.gap <= 1e-8
    random = torch.Generator().manual_seed(seed)
    for size in (1e-4, 1e-2, 1.0):
        weight = found.weight + size * torch.randn(found.weight.shape, generator=random, dtype=torch.float64)
        bias = found.bias + size * torch.randn(found.bias.shape, generator=random, dtype=torch.float64)
        assert objective(x, y, weight, bias, penalty, Softmax()) >= found.objective * (1 - 1e-7) - 1e-9 * n * np.log(
            classes
        )


def test_two_images_at_the_limit_of_rounding():
    """Newton's last steps change the objective by less than float64 shows: still full steps, still solved."""
    for seed in range(20):
        x, label = data(2, 1, 2, seed)
        for found in solve(x, onehot(label, 2), Softmax(), [10**2.5, 1e4], 1e-8):
            assert found.converged and found.iterations < 20


def test_too_few_iterations_are_reported():
    x, label = data(60, 40, 3)
    (found,) = Problem(x, onehot(label, 3), Softmax()).path([1e-6], 1e-8, 2)
    assert not found.converged and found.iterations == 2


def test_single_precision_features_and_constant_columns():
    x, label = data(50, 10, 3)
    x[:, 4] = 3.0
    (found,) = solve(x.float(), onehot(label, 3), Softmax(), [0.1])
    assert found.converged and found.weight.dtype == torch.float64
    assert found.weight[4].abs().max() < 1e-6


def test_one_class_needs_no_step():
    (found,) = solve(torch.randn(5, 3), torch.ones(5, 1), Softmax(), [1.0])
    assert found.converged and found.iterations == 0 and not found.weight.any()
