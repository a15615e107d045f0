"""Sinkhorn against plain float64 scaling, an optimal-transport library and the properties of the optimum."""

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.cluster import sinkhorn as module
from sdr.cluster.sinkhorn import plan, sinkhorn


def cosines(n: int, k: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(n, 8, generator=random, dtype=torch.float64)
    centroids = torch.randn(k, 8, generator=random, dtype=torch.float64)
    unit = torch.nn.functional.normalize
    return (unit(features, dim=1) @ unit(centroids, dim=1).T).to(dtype)


def solve(scores: torch.Tensor, epsilon: float, tolerance: float = 1e-9, iterations: int = 20_000) -> torch.Tensor:
    return plan(scores, sinkhorn(scores, epsilon, tolerance, iterations), epsilon)


def objective(u: np.ndarray, scores: np.ndarray, epsilon: float) -> float:
    return float((u * scores).sum() - epsilon * (u * np.log(u)).sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n, k, epsilon", [(300, 7, 0.05), (50, 20, 0.2), (64, 1, 0.05), (5, 5, 0.1)])
def test_marginals(n, k, epsilon, dtype):
    u = solve(cosines(n, k, dtype=dtype), epsilon, 1e-6).double()
    assert (u.sum(0) - 1 / k).abs().sum() <= 2e-6
    assert (u.sum(1) - 1 / n).abs().max() <= 1e-6 / n
    assert (u >= 0).all()


def test_equals_plain_scaling_in_float64():
    scores, epsilon = cosines(120, 6), 0.1
    kernel = np.exp(scores.numpy() / epsilon)
    row, column = np.ones(120), np.ones(6)
    for _ in range(5000):
        row = 1 / 120 / (kernel @ column)
        column = 1 / 6 / (kernel.T @ row)
    expected = row[:, None] * kernel * column
    np.testing.assert_allclose(solve(scores, epsilon).numpy(), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(solve(scores.float(), epsilon, 1e-7).numpy(), expected, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("epsilon", [0.5, 0.05, 0.01])
def test_equals_optimal_transport_library(epsilon):
    scores = cosines(40, 5, seed=1)
    masses = np.full(40, 1 / 40), np.full(5, 1 / 5)
    expected = ot.sinkhorn(*masses, -scores.numpy(), epsilon, "sinkhorn_log", 100_000, stopThr=1e-12)
    np.testing.assert_allclose(solve(scores, epsilon).numpy(), expected, rtol=1e-5, atol=1e-10)


def test_small_epsilon_approaches_exact_transport():
    scores = cosines(30, 3, seed=2)
    exact = ot.emd2(np.full(30, 1 / 30), np.full(3, 1 / 3), -scores.numpy())
    u = solve(scores, 1e-3, 1e-5, 3000).numpy()
    assert (u * scores.numpy()).sum() == pytest.approx(-exact, abs=3e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_epsilon_is_finite(dtype):
    for scores in (cosines(500, 16, dtype=dtype), torch.eye(4, dtype=dtype).repeat(8, 1) * 2 - 1):
        transport = sinkhorn(scores, 1e-3, 1e-6, 200)
        u = plan(scores, transport, 1e-3)
        assert torch.isfinite(u).all() and torch.isfinite(transport.potentials).all()
        assert np.isfinite(transport.error)
        assert u.sum().item() == pytest.approx(1, abs=1e-4)


def test_columns_that_nobody_wants_still_get_their_mass():
    scores = torch.zeros(12, 3)
    scores[:, 0] = 1  # exp(-1 / ε) underflows float32 by far: in the log domain it does not matter
    u = solve(scores, 1e-3, 1e-5)
    np.testing.assert_allclose(u.numpy(), 1 / 36, rtol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 6), st.sampled_from([0.3, 1.0]), st.integers(0, 10**6))
def test_optimal_equivariant_and_invariant(n, k, epsilon, seed):
    scores = cosines(n, k, seed)
    u = solve(scores, epsilon, 1e-11)
    random = np.random.default_rng(seed)
    # No other plan with the same marginals is better: here one from other scores.
    other = solve(cosines(n, k, seed + 1), epsilon, 1e-11).numpy()
    assert objective(other, scores.numpy(), epsilon) <= objective(u.numpy(), scores.numpy(), epsilon) + 1e-9
    # Scores and ε in other units, and constants added to rows and columns, change nothing.
    torch.testing.assert_close(solve(7 * scores, 7 * epsilon, 1e-11), u, rtol=1e-6, atol=1e-9)
    shifted = scores + torch.as_tensor(random.normal(size=(n, 1)) + random.normal(size=(1, k)))
    torch.testing.assert_close(solve(shifted, epsilon, 1e-11), u, rtol=1e-6, atol=1e-9)
    order = torch.as_tensor(random.permutation(n))
    torch.testing.assert_close(solve(scores[order], epsilon, 1e-11), u[order], rtol=1e-6, atol=1e-9)


def test_chunks_change_nothing(monkeypatch):
    scores = cosines(101, 4)
    whole = sinkhorn(scores, 0.05, 1e-8, 5000)
    monkeypatch.setattr(module, "_CHUNK", 4 * 10)
    chunked = sinkhorn(scores, 0.05, 1e-8, 5000)
    assert chunked.iterations == whole.iterations
    torch.testing.assert_close(chunked.potentials, whole.potentials)


def test_stops_on_error_or_iterations_and_starts_warm():
    scores = cosines(200, 8)
    cold = sinkhorn(scores, 0.02, 1e-6, 5000)
    assert cold.error <= 1e-6 and 0 < cold.iterations < 5000
    masses = plan(scores, cold, 0.02).sum(0)
    assert (masses - 1 / 8).abs().sum().item() == pytest.approx(cold.error, rel=1e-6)
    assert sinkhorn(scores, 0.02, 1e-6, 5000, cold.potentials).iterations == 0
    short = sinkhorn(scores, 0.02, 1e-6, 3)
    assert short.iterations == 3 and short.error > 1e-6
