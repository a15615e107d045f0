"""Clustering: planted clusters, scale, blocks, and awkward inputs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import adjusted_rand_score

from sdr.base.errors import UserError
from sdr.cluster import directions
from sdr.cluster.prototypes import Cluster, _fill, fit


def section(**changes) -> Cluster:
    values = {
        "mapping": "index",
        "epsilon": 0.05,
        "tolerance": 1e-4,
        "max_iterations": 200,
        "epochs": 8,
        "lr": 0.3,
        "momentum": 0.9,
        "batch_size": 64,
        "temperature": 0.1,
        "centre": True,
        "min_share": 0.0,
    }
    return Cluster(**{**values, **changes})


def planted(n: int, k: int, seed: int = 0, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = random.integers(k, size=n)
    centre = random.normal(size=(k, dim))
    return (5 + centre[label] + 0.3 * random.normal(size=(n, dim))).astype(np.float32), label


@pytest.mark.parametrize("k", [2, 5, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_clusters_are_found(k, seed):
    features, label = planted(400, k, seed)
    clusters = fit(features, k, section(), seed)
    assert adjusted_rand_score(label, clusters.assignment) > 0.95
    assert clusters.marginal_error < 1e-2 and clusters.empty == 0


def test_centroids_learn():
    features = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    clusters = fit(features, 10, section(), 0)
    assert clusters.history[-1]["loss"] < clusters.history[0]["loss"]


def test_shapes_and_final_argmax():
    features, _ = planted(120, 4)
    clusters = fit(features, 4, section(centre=False), 0)
    assert clusters.assignment.dtype == np.int64 and clusters.assignment.shape == (120,)
    assert clusters.centroids.dtype == np.float32 and clusters.centroids.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(clusters.centroids, axis=1), 1, rtol=1e-5)
    assert len(clusters.history) == 8
    cosine = features / np.linalg.norm(features, axis=1, keepdims=True) @ clusters.centroids.T
    if clusters.moved == 0:
        np.testing.assert_array_equal(clusters.assignment, cosine.argmax(1))


@pytest.mark.parametrize("centre", [True, False])
def test_scale_of_features_is_irrelevant(centre):
    features, _ = planted(200, 4)
    one = fit(features, 4, section(centre=centre), 0)
    for scale in (1024.0, 2.0**-12):  # powers of two round alike: the result is the same to the bit
        other = fit(features * np.float32(scale), 4, section(centre=centre), 0)
        np.testing.assert_array_equal(one.assignment, other.assignment)
        np.testing.assert_allclose(one.centroids, other.centroids, atol=1e-6)


def test_one_seed_one_result():
    features, _ = planted(200, 6)
    one, again, other = (fit(features, 6, section(epochs=2), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.assignment, again.assignment)
    np.testing.assert_array_equal(one.centroids, again.centroids)
    assert one.history == again.history != other.history


class Counted:
    """Features on a disk: counts the rows of every read."""

    def __init__(self, array):
        self.array, self.shape, self.most = array, array.shape, 0

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        part = self.array[rows]
        self.most = max(self.most, len(part))
        return part


def test_blocks_give_the_same_without_ever_holding_the_features(tmp_path, monkeypatch):
    features, _ = planted(3000, 5)
    np.save(tmp_path / "features.npy", features)
    whole = fit(features, 5, section(epochs=3), 0)
    monkeypatch.setattr(directions, "_BLOCK", 4 * 16 * 100)
    monkeypatch.setattr("sdr.cluster.prototypes._SAMPLE", 1)
    disk = Counted(np.load(tmp_path / "features.npy", mmap_mode="r"))
    blocks = fit(disk, 5, section(epochs=3), 0, resident_bytes=4 * 3000 * 16 - 1)
    assert np.mean(blocks.assignment == whole.assignment) > 0.999
    np.testing.assert_allclose(blocks.centroids, whole.centroids, atol=1e-4)
    samples = 4096  # k-means++ looks at that many at once, all of these 3,000
    assert disk.most <= samples
    disk.most = 0
    vectors = directions.Directions(disk, True, "cpu", resident_bytes=0)
    vectors.scores(torch.zeros(5, 16), out=torch.empty(3000, 5))
    assert disk.most == 100


def test_rows_come_in_the_order_asked_for():
    features, _ = planted(50, 3)
    indices = torch.tensor([7, 3, 49, 0, 8, 3])
    held = directions.Directions(features, True, "cpu", 1 << 20).rows(indices)
    read = directions.Directions(features, True, "cpu", 0).rows(indices)
    expected = features - features.mean(0)
    expected = (expected / np.linalg.norm(expected, axis=1, keepdims=True))[indices.numpy()]
    np.testing.assert_allclose(held.numpy(), expected, atol=1e-5)
    torch.testing.assert_close(read, held)


def test_one_cluster():
    clusters = fit(planted(30, 2)[0], 1, section(epochs=2), 0)
    assert (clusters.assignment == 0).all() and clusters.marginal_error < 1e-6


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("centre", [True, False])
def test_no_cluster_is_empty_even_for_equal_features(k, centre):
    clusters = fit(np.ones((10, 4), np.float32), k, section(epochs=2, centre=centre), 0)
    assert set(clusters.assignment) == set(range(k))
    assert clusters.moved >= clusters.empty == k - 1
    assert np.isfinite(clusters.centroids).all()


def test_tiny_epsilon_gives_no_nan():
    clusters = fit(planted(200, 4)[0], 4, section(epsilon=1e-3, epochs=3), 0)
    assert np.isfinite(clusters.centroids).all()
    assert all(np.isfinite(list(row.values())).all() for row in clusters.history)


def test_min_share_is_kept():
    features, _ = planted(300, 2)
    features[:280] = features[0] + 1e-3 * np.random.default_rng(0).normal(size=(280, 16))
    clusters = fit(features, 6, section(min_share=0.5, epochs=2), 0)
    assert np.bincount(clusters.assignment, minlength=6).min() >= 25


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(0, 40), st.integers(0, 10**6))
def test_fill_moves_the_likeliest_and_no_more(k, more, seed):
    random = torch.Generator().manual_seed(seed)
    n = k + more
    scores = torch.rand(n, k, generator=random)
    assignment = torch.randint(max(1, k // 2), (n,), generator=random)  # the upper half is empty
    before = assignment.clone()
    least = n // k
    moved = _fill(assignment, scores, torch.zeros(k), 0.1, least)
    sizes, old = torch.bincount(assignment, minlength=k), torch.bincount(before, minlength=k)
    assert sizes.min() >= least
    assert moved == int((least - old).clamp_min(0).sum())
    assert (assignment != before).sum() <= moved


def test_fill_prefers_the_largest_share_of_the_plan():
    scores = torch.tensor([[0.9, 0.1], [0.9, 0.5], [0.9, 0.3]])
    assignment = torch.zeros(3, dtype=torch.int64)
    assert _fill(assignment, scores, torch.zeros(2), 0.1, 1) == 1
    assert assignment.tolist() == [0, 1, 0]


def test_more_clusters_than_images():
    with pytest.raises(UserError, match="5 clusters of 4 images"):
        fit(np.ones((4, 3), np.float32), 5, section(), 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite(bad):
    features, _ = planted(20, 2)
    features[3, 2] = bad
    with pytest.raises(UserError, match="NaN or infinity"):
        fit(features, 2, section(), 0)


@pytest.mark.parametrize("field", ["epsilon", "tolerance", "lr", "temperature", "batch_size", "epochs"])
def test_bounds(field):
    with pytest.raises(ValidationError):
        section(**{field: 0})
