"""Logistic regression solved to convergence, by Newton's method along the path of penalties.

Minimises, over W (D×C) and an unpenalised bias b (C),

    F(W, b) = λ/2 ‖W‖² + Σ_n loss(W ᵀx_n + b, y_n)

for each λ of a grid. F is convex, so a converged solution does not depend on how it was reached; the path
goes from the strongest to the weakest penalty, each start extrapolated from the solutions before it.
Everything that decides (objective, gradient, line search, stopping) is float64; the directions are found in
float32. Inside, classes come first (logits are C×N): products with few classes and many images are then five
times as fast on a CPU.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, prod
from typing import NamedTuple

import torch
from torch import Tensor

_FORCING = 0.3  # how far CG reduces the preconditioned residual: closer costs more products than it saves steps
_ORDER = 4  # earlier solutions that a start is extrapolated from, at most
_MAX_PRODUCTS = 250  # Hessian products a Newton step
_ROUNDING = 1e-14  # relative: differences of the objective below this mean nothing
_TINY_PROBABILITY = 1e-18  # smaller ones change no direction, but their denormal products are slow


@dataclass(frozen=True)
class Softmax:
    """Multinomial cross-entropy; y is one-hot C×N."""

    def value(self, logits: Tensor, y: Tensor) -> Tensor:
        return -(torch.log_softmax(logits, 0) * y).sum()

    def probabilities(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits, 0)

    def curvature(self, p: Tensor, change: Tensor) -> Tensor:
        """The Hessian in the logits, diag(p) - ppᵀ an image, times a change of the logits (both C×N)."""
        return p * (change - (p * change).sum(0, keepdim=True))

    def project(self, direction: Tensor) -> Tensor:
        """Adding the same to all classes changes no probability: the optimum has none of it."""
        return direction - direction.mean(0, keepdim=True)


@dataclass(frozen=True)
class Sigmoid:
    """Binary cross-entropy, summed over the classes, each a problem of its own; y is 0/1 C×N."""

    def value(self, logits: Tensor, y: Tensor) -> Tensor:
        return (torch.nn.functional.softplus(logits) - y * logits).sum()

    def probabilities(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits)

    def curvature(self, p: Tensor, change: Tensor) -> Tensor:
        return p * (1 - p) * change

    def project(self, direction: Tensor) -> Tensor:
        return direction


@dataclass(frozen=True)
class Solution:
    """A minimiser: weight D×C and bias C (float64), and how good it is.

    `gap` is Newton's estimate of (F - min F) / F before the last step, so an upper estimate after it;
    `gradient_norm` is that of F at the returned point, in terms of centred features.
    """

    penalty: float
    weight: Tensor
    bias: Tensor
    objective: float
    gap: float
    gradient_norm: float
    iterations: int
    converged: bool


class Solved(NamedTuple):
    """A point of the path: θ, C×(R+1), the weights on the principal axes and the bias in the last column."""

    penalty: float
    theta: Tensor
    logits: Tensor  # C×N


class Problem:
    """The data of one regression, rotated to the principal axes of x.

    Centring moves into the bias and a rotation keeps ‖W‖, so the minimum is the same; but on these axes the
    Hessian is nearly diagonal, which makes its diagonal a good preconditioner, and N images span at most N of
    the D axes.

    Args:
        x: N×D features of any float dtype; kept in float64 and float32, min(N, D) columns each.
        y: N×C, one-hot or 0/1, on the device of x.
        loss: Softmax() or Sigmoid().
    """

    def __init__(self, x: Tensor, y: Tensor, loss: Softmax | Sigmoid):
        x = x.double()
        self.mean = x.mean(0)
        x = x - self.mean
        n, d = x.shape
        self.axes = torch.linalg.eigh(x.T @ x)[1] if d <= n else torch.linalg.svd(x, full_matrices=False)[2].T
        self.x = x @ self.axes  # N×R
        self.x_single = self.x.float()
        self.x_squared = self.x_single.square()
        self.y = y.double().T.contiguous()  # C×N
        self.loss = loss

    def path(self, penalties: list[float], tolerance: float, max_iterations: int) -> Iterator[Solution]:
        """Yield the solution for each penalty, from the strongest to the weakest.

        Args:
            penalties: λ > 0, in any order.
            tolerance: relative gap (F - min F) / F at which a problem is solved.
            max_iterations: Newton steps a penalty; if they do not suffice, `converged` is False.
        """
        done: list[Solved] = []
        for penalty in sorted(penalties, reverse=True):
            start = min(self._starts(done, penalty), key=lambda start: self._objective(*start, penalty))
            theta, logits, report = self._newton(start[0], penalty, tolerance, max_iterations)
            done = [*done[1 - _ORDER :], Solved(penalty, theta, logits)]
            weight = self.axes @ theta[:, :-1].T  # D×C
            yield Solution(penalty, weight, theta[:, -1] - self.mean @ weight, **report)

    def _starts(self, done: list["Solved"], penalty: float) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield places to start from, θ and its logits: the path so far as a polynomial in log λ, continued.

        Logits are linear in θ, so to judge such a place by its objective costs no product with the features.
        """
        if not done:
            theta = self.x.new_zeros(len(self.y), self.x.shape[1] + 1)
            yield theta, self._logits(theta)
        for order in range(1, len(done) + 1):
            last = done[-order:]
            weights = _extrapolation([solved.penalty for solved in last], penalty)
            yield (
                sum(weight * solved.theta for weight, solved in zip(weights, last)),
                sum(weight * solved.logits for weight, solved in zip(weights, last)),
            )

    def _logits(self, theta: Tensor) -> Tensor:
        return theta[:, :-1] @ self.x.T + theta[:, -1:]  # C×N

    def _objective(self, theta: Tensor, logits: Tensor, penalty: float) -> float:
        return (self.loss.value(logits, self.y) + penalty / 2 * theta[:, :-1].square().sum()).item()

    def _gradient(self, theta: Tensor, logits: Tensor, penalty: float) -> Tensor:
        error = self.loss.probabilities(logits) - self.y
        return torch.cat([error @ self.x + penalty * theta[:, :-1], error.sum(1, keepdim=True)], 1)

    def _newton(
        self, theta: Tensor, penalty: float, tolerance: float, max_iterations: int
    ) -> tuple[Tensor, Tensor, dict]:
        logits = self._logits(theta)  # anew: those of the start are sums of earlier rounding errors
        objective = self._objective(theta, logits, penalty)
        gradient = self._gradient(theta, logits, penalty)
        gap, converged, iterations = 0.0, not gradient.any(), 0
        while not converged and iterations < max_iterations:
            step = self._direction(logits, gradient, penalty)
            slope = (gradient * step).sum().item()
            gap = -slope / 2 / objective
            change = self._logits(step)  # logits are linear in θ: to try a length costs no product
            length = 1.0
            while length > 1e-9:
                ahead, logits_ahead = theta + length * step, logits + length * change
                value = self._objective(ahead, logits_ahead, penalty)
                if value <= objective + 1e-4 * length * slope + _ROUNDING * objective:
                    break
                length /= 2
            else:  # rounding: the objective cannot be lowered any further
                converged = gap <= tolerance
                break
            theta, objective, logits = ahead, value, logits_ahead
            gradient = self._gradient(theta, logits, penalty)
            iterations += 1
            converged = gap <= tolerance and length == 1
        report = {"objective": objective, "gap": gap, "gradient_norm": gradient.norm().item()}
        return theta, logits, {**report, "iterations": iterations, "converged": converged}

    def _direction(self, logits: Tensor, gradient: Tensor, penalty: float) -> Tensor:
        """A Newton step, Hessian · step = -gradient, by preconditioned conjugate gradients in float32."""
        p = self.loss.probabilities(logits).float().clamp_min(_TINY_PROBABILITY)
        spread = p * (1 - p)
        diagonal = torch.cat([spread @ self.x_squared + penalty, spread.sum(1, keepdim=True)], 1)
        scale = gradient.abs().max()  # gradients reach 1e-9 and less: scaled, they stay well inside float32
        residual = self.loss.project(-gradient / scale).float()

        def hessian(step: Tensor) -> Tensor:
            change = self.loss.curvature(p, step[:, :-1] @ self.x_single.T + step[:, -1:])
            return torch.cat([change @ self.x_single + penalty * step[:, :-1], change.sum(1, keepdim=True)], 1)

        step = torch.zeros_like(residual)
        ahead = preconditioned = self.loss.project(residual / diagonal)
        size = target = (residual * preconditioned).sum()
        for _ in range(_MAX_PRODUCTS):
            product = hessian(ahead)
            rate = size / (ahead * product).sum()
            step += rate * ahead
            residual -= rate * product
            preconditioned = self.loss.project(residual / diagonal)
            previous, size = size, (residual * preconditioned).sum()
            if size <= _FORCING**2 * target:
                break
            ahead = preconditioned + size / previous * ahead
        return step.double() * scale


def _extrapolation(penalties: list[float], penalty: float) -> list[float]:
    """The factors of the values at `penalties` in their Lagrange polynomial, in log λ, at `penalty`."""
    places, there = [log(p) for p in penalties], log(penalty)
    return [prod((there - b) / (a - b) for b in places if b != a) for a in places]
