"""Linear evaluation on frozen features: the many-shot protocol of Ericsson et al. (2021).

Multinomial logistic regression on features as they are (no normalisation), minimising

    ½ ‖W‖² + C · Σ_n loss(Wᵀx_n + b, y_n)        C = 1 / penalty, the bias is not penalised

for 45 penalties from 1e-6 to 1e5; the one with the best validation score is refitted on train and validation
together and tested once. Ties go to the largest C (the weakest penalty), as in that protocol. Multi-label
tasks are one binary problem a class; the protocol fits each with two symmetric weight vectors, which is
ordinary logistic regression with 2C, so the penalty is halved there. Unlike the protocol's code every fit is
solved to convergence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field

from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.evaluate import metrics
from sdr.evaluate.newton import Problem, Sigmoid, Softmax, Solution


class Linear(Section):
    """Parameters of linear evaluation."""

    penalties: int = Field(ge=1)
    """Number of L2 penalties, spaced evenly in their logarithm."""
    log10_min: float = Field(ge=-30, le=30)
    """Logarithm (base 10) of the weakest penalty."""
    log10_max: float = Field(ge=-30, le=30)
    """Logarithm (base 10) of the strongest penalty."""
    tolerance: float = Field(gt=0, lt=1)
    """Relative gap to the minimum of the objective at which a fit is solved."""
    max_iterations: int = Field(ge=1)
    """Newton steps a fit."""
    val_fraction: float = Field(gt=0, lt=1)
    """Share of the training images held out to choose the penalty where a task has no validation split."""

    def grid(self) -> list[float]:
        """The penalties, weakest first."""
        return np.logspace(self.log10_min, self.log10_max, self.penalties).tolist()


@dataclass(frozen=True)
class Fit:
    """A linear classifier of C classes: weight D×C, bias C (float64); classes it never saw score -inf."""

    weight: torch.Tensor
    bias: torch.Tensor
    solution: Solution

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Features n×D -> class scores n×C float64."""
        return self._logits(x).cpu().numpy()

    def probabilities(self, x: np.ndarray, multilabel: bool) -> np.ndarray:
        """Features n×D -> probabilities n×C float64: of the classes, or of each label."""
        logits = self._logits(x)
        return (torch.sigmoid(logits) if multilabel else torch.softmax(logits, dim=1)).cpu().numpy()

    def _logits(self, x: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(x, dtype=torch.float64, device=self.weight.device) @ self.weight + self.bias


def fit_path(
    x: np.ndarray, y: np.ndarray, n_classes: int, penalties: list[float], params: Linear, device="cpu"
) -> Iterator[Fit]:
    """Yield a `Fit` for each penalty, from the strongest to the weakest.

    Args:
        x: N×D float features.
        y: int64 N, or bool N×C for a multi-label task.
        n_classes: C.
        penalties: 1/C of the protocol, in any order.
        params: tolerance and max_iterations are used.
        device: where to compute; the CPU in place of one without float64 (Apple's).

    Raises:
        UserError: the features hold NaN or infinity.
    """
    if not np.isfinite(x).all():
        raise UserError("the features hold NaN or infinity; look for a collapsed or diverged network")
    multilabel = y.ndim == 2
    onehot = y.astype(np.float64) if multilabel else np.eye(n_classes)[y]  # N×C
    # A class without examples (or, in multi-label, with nothing else) has an infinite best bias: leave it out.
    seen = onehot.any(axis=0) & ~(multilabel & onehot.all(axis=0))
    device = "cpu" if torch.device(device).type == "mps" else device
    to_device = {"dtype": torch.float64, "device": device}
    targets = torch.as_tensor(onehot[:, seen], **to_device)
    problem = Problem(torch.as_tensor(x, **to_device), targets, Sigmoid() if multilabel else Softmax())
    halving = 2 if multilabel else 1
    path = problem.path([penalty / halving for penalty in penalties], params.tolerance, params.max_iterations)
    where = torch.as_tensor(np.flatnonzero(seen), device=device)
    for solution in path:
        weight = torch.zeros(x.shape[1], n_classes, **to_device)
        bias = torch.full((n_classes,), -torch.inf, **to_device)
        weight[:, where], bias[where] = solution.weight, solution.bias
        yield Fit(weight, bias, solution)


def choose_penalty(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    n_classes: int,
    metric: str,
    params: Linear,
    device="cpu",
) -> tuple[float, float]:
    """The penalty with the best validation score, and that score in percent; ties go to the weakest."""
    strongest_first = sorted(params.grid(), reverse=True)
    fits = fit_path(*train, n_classes, strongest_first, params, device)
    scores = [metrics.score(metric, fit.scores(val[0]), val[1]) for fit in fits]
    best = len(scores) - 1 - int(np.argmax(scores[::-1]))
    return strongest_first[best], scores[best]


def evaluate(
    train_x: np.ndarray,
    train_y: np.ndarray,
    val: tuple[np.ndarray, np.ndarray] | None,
    test_x: np.ndarray,
    test_y: np.ndarray,
    classes: list[str],
    metric: str,
    params: Linear,
    seed: int,
    device="cpu",
) -> dict:
    """Evaluate features on one task.

    Args:
        train_x, test_x: n×D float32 features. train_y, test_y: int64 n or bool n×C.
        val: (features, targets) of the official validation split; None: the protocol's random split of train.
        classes: the C class names.
        metric: "top1", "mean_per_class" or "map".
        params: the `linear` section.
        seed: of the bootstrap; the split has the protocol's own seed.
        device: where to compute.

    Returns:
        linear and val (percent), linear_interval [low, high] (95 % bootstrap over the test items), linear_resamples (that
        bootstrap; every network has the same resamples, so that differences are paired; None: undefined), penalty,
        penalty_at_edge (bool), iterations, gradient_norm and converged of the final fit, per_class {class:
        percent or None where the test has none}, dim.
    """
    fit, penalty, val_score = choose_and_fit(train_x, train_y, val, len(classes), metric, params, device)
    grid = params.grid()
    return judge(fit.scores(test_x), test_y, classes, metric, seed) | {
        "val": val_score,
        "penalty": penalty,
        "penalty_at_edge": len(grid) > 1 and penalty in (grid[0], grid[-1]),
        "iterations": fit.solution.iterations,
        "gradient_norm": fit.solution.gradient_norm,
        "converged": fit.solution.converged,
        "dim": int(train_x.shape[1]),
    }


def hold_out(n: int, fraction: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split the items 0 … n-1 as the protocol does: a shuffle, whose first items are for validation.

    The shuffle is that of `np.random.seed(seed); np.random.shuffle(list(range(n)))`, without touching the
    global state. It is not stratified, so a rare class can be missing on either side; the callers cope.

    Args:
        n: number of items, at least 2.
        fraction: share of validation items, in (0, 1); floor(fraction · n) items, but at least 1.
        seed: the protocol uses 0.

    Returns:
        (train, validation): disjoint int64 indices in shuffled order, together all of 0 … n-1.

    Raises:
        UserError: fewer than 2 items.
    """
    if n < 2:
        raise UserError(f"a validation split needs at least 2 labelled images, got {n}; add images to the task")
    order = list(range(n))
    np.random.RandomState(seed).shuffle(order)
    held = max(1, int(np.floor(fraction * n)))
    return np.array(order[held:], dtype=np.int64), np.array(order[:held], dtype=np.int64)


def choose_and_fit(
    train_x: np.ndarray,
    train_y: np.ndarray,
    val: tuple[np.ndarray, np.ndarray] | None,
    n_classes: int,
    metric: str,
    params: Linear,
    device="cpu",
) -> tuple[Fit, float, float]:
    """Return the classifier of the best penalty, fitted on train and validation together, the penalty, and its
    validation score in percent. Arguments as of `evaluate`."""
    if val is None:
        kept, held = hold_out(len(train_x), params.val_fraction)
        train, val = (train_x[kept], train_y[kept]), (train_x[held], train_y[held])
    else:
        train = (train_x, train_y)
    penalty, val_score = choose_penalty(train, val, n_classes, metric, params, device)
    both = np.concatenate([train[0], val[0]]), np.concatenate([train[1], val[1]])
    (fit,) = fit_path(*both, n_classes, [penalty], params, device)
    return fit, penalty, val_score


def judge(scores: np.ndarray, test_y: np.ndarray, classes: list[str], metric: str, seed: int) -> dict:
    """Return `linear`, `linear_interval`, `linear_resamples` and `per_class` (as of `evaluate`) of class scores n×C on the test split."""
    each = metrics.per_class(metric, scores, test_y)
    resamples = metrics.bootstrap(scores, test_y, metric, seed, metrics.RESAMPLES)
    return {
        "linear": metrics.score(metric, scores, test_y),
        "linear_interval": list(metrics.interval(resamples)),
        "linear_resamples": [None if np.isnan(value) else round(float(value), 3) for value in resamples],
        "per_class": {c: None if np.isnan(v) else float(v) for c, v in zip(classes, each, strict=True)},
    }
