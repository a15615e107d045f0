"""Paths of clusters: a permutation, balanced blocks, planted trees found, and never worse than chance."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdr.cluster.mapping import path_order, relabel
from sdr.nets.paths import path_of


def unit(points: np.ndarray) -> np.ndarray:
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def cohesion(centroids: np.ndarray, groups: int, stages: int) -> float:
    """Sum over the blocks with a common path prefix of `stages` stages of the length of their sum."""
    prefixes: dict[tuple, list[int]] = {}
    for i in range(len(centroids)):
        prefixes.setdefault(path_of(i, groups)[:stages], []).append(i)
    return sum(np.linalg.norm(centroids[block].sum(0)) for block in prefixes.values())


@given(st.integers(1, 40), st.integers(0, 5), st.sampled_from(["index", "tree"]))
def test_each_cluster_takes_one_path(k, seed, how):
    centroids = unit(np.random.default_rng(seed).normal(size=(k, 6)).astype(np.float32))
    order = path_order(centroids, 4, how, seed)
    assert sorted(order) == list(range(k))
    assert (order == path_order(centroids, 4, how, seed)).all()
    if how == "index":
        assert (order == np.arange(k)).all()


def test_a_planted_tree_is_found():
    """16 clusters around 4 directions, shuffled: each direction gets one group of the third stage."""
    random = np.random.default_rng(1)
    directions = unit(random.normal(size=(4, 32)))
    centroids = unit(np.repeat(directions, 4, axis=0) + 0.05 * random.normal(size=(16, 32)))
    shuffled = random.permutation(16)
    order = path_order(centroids[shuffled], 4, "tree", 0)
    branches = (shuffled[order] // 4).reshape(4, 4)  # path × planted direction
    assert (branches == branches[:, :1]).all()
    assert [path_of(i, 4)[2] for i in range(16)] == np.repeat(range(4), 4).tolist()


def test_two_levels_are_found_and_all_paths_used():
    random = np.random.default_rng(2)
    coarse = unit(random.normal(size=(3, 40)))
    fine = unit(np.repeat(coarse, 3, axis=0) + 0.3 * random.normal(size=(9, 40)))
    centroids = unit(np.repeat(fine, 3, axis=0) + 0.03 * random.normal(size=(27, 40)))
    shuffled = random.permutation(27)
    found = shuffled[path_order(centroids[shuffled], 3, "tree", 0)]
    assert (found.reshape(3, 9) // 9 == found.reshape(3, 9)[:, :1] // 9).all()
    assert (found.reshape(9, 3) // 3 == found.reshape(9, 3)[:, :1] // 3).all()


def test_the_best_of_all_pairings():
    """Four clusters, two groups a stage: brute force over all orders finds no better pairs."""
    for seed in range(10):
        centroids = unit(np.random.default_rng(seed).normal(size=(4, 3)))
        best = max(cohesion(centroids[list(order)], 2, 3) for order in permutations(range(4)))
        found = cohesion(centroids[path_order(centroids, 2, "tree", 0)], 2, 3)
        assert found == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("k", [6, 10, 17, 64, 100, 256])
def test_similar_clusters_hold_together_more_than_by_chance(k):
    random = np.random.default_rng(k)
    centroids = unit(random.normal(size=(k, 16)))
    tree = centroids[path_order(centroids, 4, "tree", 0)]
    chance = max(cohesion(centroids[random.permutation(k)], 4, 3) for _ in range(20))
    assert cohesion(tree, 4, 3) > chance - 1e-6


def test_clusters_that_are_the_same_do_no_harm():
    assert sorted(path_order(np.ones((20, 3)) / np.sqrt(3), 4, "tree", 0)) == list(range(20))


@given(st.integers(1, 12), st.integers(0, 3))
def test_relabelling_moves_images_and_centroids_alike(k, seed):
    random = np.random.default_rng(seed)
    assignment, centroids, order = random.integers(0, k, 30), random.normal(size=(k, 2)), random.permutation(k)
    named, moved = relabel(assignment, centroids, order)
    assert (moved[named] == centroids[assignment]).all()
    assert (order[named] == assignment).all()
