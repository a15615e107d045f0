"""Balanced assignment of images to clusters: entropic optimal transport by Sinkhorn-Knopp, in the log domain.

Eq. 2 of the SDR paper: max over U of Tr(UᵀS) + ε H(U), where the rows of U (images) carry mass 1/N each and
its columns (clusters) 1/K each. The maximiser is

    U_ij = 1/N · softmax_j((S_ij + g_j) / ε)

so K potentials g describe it whole: U is never stored, and rows are exact by construction. A Sinkhorn
iteration adds ε (log 1/K - log of the column's mass) to each potential (Cuturi 2013, with the row scaling
inside the softmax). Logarithms all the way: no ε is too small for exp, where the usual exp(S/ε) overflows
float32 below ε = 0.011.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 1 << 24  # scores that one step may copy: 64 MiB in float32


@dataclass(frozen=True)
class Transport:
    """Potentials g (K, in units of the scores), the L1 error of the column masses, the iterations spent."""

    potentials: Tensor
    error: float
    iterations: int


def sinkhorn(
    scores: Tensor, epsilon: float, tolerance: float, max_iterations: int, start: Tensor | None = None
) -> Transport:
    """Solve Eq. 2 for the scores S.

    Args:
        scores: N×K, float32 or float64, any device; read in chunks of rows, so that nothing else of size N×K
            is held.
        epsilon: weight of the entropy, > 0, in the units of the scores.
        tolerance: stop once Σ_j |Σ_i U_ij - 1/K| is at most this; float32 resolves about 1e-7 / epsilon.
        max_iterations: stop after that many iterations in any case.
        start: K potentials to begin with, such as those of similar scores; zero by default.

    Returns:
        The potentials, and the error they have.
    """
    n, k = scores.shape
    potentials = scores.new_zeros(k) if start is None else start.to(scores)
    for iteration in range(max_iterations + 1):
        log_mass = _log_column_mass(scores, potentials, epsilon)
        error = (log_mass.exp() - 1 / k).abs().sum().item()
        if error <= tolerance or iteration == max_iterations:
            break
        potentials = potentials - epsilon * (log_mass + math.log(k))
        potentials = potentials - potentials.mean()  # a constant changes nothing; this one keeps them small
    return Transport(potentials, error, iteration)


def log_posterior(scores: Tensor, potentials: Tensor, epsilon: float) -> Tensor:
    """log(N · U) for rows of the scores (B×K): the log of each image's distribution over the clusters."""
    return torch.log_softmax((scores + potentials) / epsilon, dim=1)


def plan(scores: Tensor, transport: Transport, epsilon: float) -> Tensor:
    """U (N×K, total mass 1), for scores small enough to hold it."""
    return log_posterior(scores, transport.potentials, epsilon).exp() / len(scores)


def _log_column_mass(scores: Tensor, potentials: Tensor, epsilon: float) -> Tensor:
    """log Σ_i U_ij, K."""
    n, k = scores.shape
    total = scores.new_full((k,), -math.inf)
    for rows in scores.split(max(1, _CHUNK // k)):
        total = torch.logaddexp(total, log_posterior(rows, potentials, epsilon).logsumexp(dim=0))
    return total - math.log(n)
