"""Clustering of the images by learnable centroids and balanced assignments (SDR, section 4.2).

On fixed features F, alternate

    U  the balanced assignment for the scores S = FᵀC of the whole data set, by Sinkhorn-Knopp (Eq. 2);
    C  mini-batch SGD on the cross-entropy between U and softmax(S / temperature);

and at last assign each image to argmax S. Features and centroids have unit length, so S is a cosine: ε and
the temperature then mean the same whatever the features' scale, and no centroid wins by being long.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import trange

from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.cluster.directions import Directions
from sdr.cluster.mapping import Mapping
from sdr.cluster.sinkhorn import log_posterior, sinkhorn

_SAMPLE = 64  # features a cluster that k-means++ looks at, and 4,096 at least
_ROWS = 1 << 16  # rows of the plan computed at a time


class Cluster(Section):
    """Parameters of the clustering."""

    mapping: Mapping
    """Which path each cluster gets."""
    epsilon: float = Field(gt=0, le=100)
    """Weight of the entropy in Eq. 2, in units of cosine: smaller is closer to a hard assignment."""
    tolerance: float = Field(gt=0, lt=1)
    """Sinkhorn stops at this L1 error of the clusters' masses (their sum is 1)."""
    max_iterations: int = Field(ge=1)
    """Sinkhorn stops after this many iterations in any case."""
    epochs: int = Field(ge=1)
    """Alternations of U and C."""
    lr: float = Field(gt=0, le=1000)
    """Learning rate of a centroid; the gradient is that of the mean over its share of the images (1/k)."""
    momentum: float = Field(ge=0, lt=1)
    """Momentum of SGD."""
    batch_size: int = Field(ge=1)
    """Images an SGD step."""
    temperature: float = Field(gt=0, le=1e3)
    """Of the softmax of the scores; above epsilon, for else U is no sharper than S and teaches nothing."""
    centre: bool
    """Subtract the mean feature before the normalisation."""
    min_share: float = Field(ge=0, le=1)
    """A cluster smaller than this share of N/k is filled up to it; one image is the least in any case."""


@dataclass(frozen=True)
class Clusters:
    """A clustering of N images into k clusters, none of them empty."""

    assignment: np.ndarray
    """int64 N: the cluster of each image."""
    centroids: np.ndarray
    """k×D float32, of unit length, in the space of the centred and normalised features."""
    history: list[dict]
    """Per epoch: epoch, loss (cross-entropy in nats), marginal_error and iterations of Sinkhorn."""
    marginal_error: float
    """L1 error of the clusters' masses under the last U."""
    empty: int
    """Clusters that argmax S left empty."""
    moved: int
    """Images moved to fill up empty and small clusters."""


def fit(
    features: np.ndarray,
    k: int,
    params: Cluster,
    seed: int,
    device: torch.device | str = "cpu",
    resident_bytes: int = 2 << 30,
) -> Clusters:
    """Cluster features.

    Args:
        features: N×D floats, possibly memory-mapped.
        k: number of clusters, 1 to N.
        params: the `cluster` section.
        seed: of the first centroids and of the order of mini-batches; on a CPU the result is a function of
            it.
        device: where to compute.
        resident_bytes: features larger than this (in float32) stay where they are and are read in blocks; the
            N×k scores are always held. The result is the same up to rounding.

    Raises:
        UserError: more clusters than images, or features that are not finite.
    """
    n = len(features)
    if not 1 <= k <= n:
        raise UserError(f"{k} clusters of {n} images: lower `n_subnets` to at most {n}, or add images")
    directions = Directions(features, params.centre, device, resident_bytes)
    random = torch.Generator().manual_seed(seed)
    centroids = _first_centroids(directions, k, random).requires_grad_()
    optimizer = torch.optim.SGD([centroids], lr=params.lr * k, momentum=params.momentum)
    scores = torch.empty(n, k, device=device)  # the one matrix of this size
    potentials, history = None, []
    for epoch in trange(params.epochs, desc="cluster", unit="epoch", disable=None):
        directions.scores(normalize(centroids.detach(), dim=1), out=scores)
        transport = sinkhorn(scores, params.epsilon, params.tolerance, params.max_iterations, potentials)
        potentials = transport.potentials
        loss_sum = torch.zeros((), device=scores.device)
        for batch in torch.randperm(n, generator=random).split(params.batch_size):
            here = batch.to(scores.device)
            target = log_posterior(scores[here], potentials, params.epsilon).exp()
            cosine = directions.rows(batch) @ normalize(centroids, dim=1).T  # B×k
            loss = -(target * torch.log_softmax(cosine / params.temperature, dim=1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(batch)
        sinkhorn_report = {"marginal_error": transport.error, "iterations": transport.iterations}
        history.append({"epoch": epoch, "loss": loss_sum.item() / n, **sinkhorn_report})
    centroids = normalize(centroids.detach(), dim=1)
    directions.scores(centroids, out=scores)
    transport = sinkhorn(scores, params.epsilon, params.tolerance, params.max_iterations, potentials)
    assignment = scores.argmax(dim=1)
    empty = k - len(assignment.unique())
    least = max(1, int(params.min_share * n / k))
    moved = _fill(assignment, scores, transport.potentials, params.epsilon, least)
    return Clusters(assignment.cpu().numpy(), centroids.cpu().numpy(), history, transport.error, empty, moved)


def _first_centroids(directions: Directions, k: int, random: torch.Generator) -> Tensor:
    """k features far from each other: k-means++ (Arthur & Vassilvitskii 2007) on a random sample; k×D."""
    n = directions.n
    sample = directions.rows(torch.randperm(n, generator=random)[: max(_SAMPLE * k, 4096)])
    chosen = [int(torch.randint(len(sample), (), generator=random))]
    nearest = torch.full((len(sample),), 2.0)  # 1 - cosine to the nearest of the chosen
    for _ in range(k - 1):
        distance = (1 - sample @ sample[chosen[-1]]).cpu()
        # The least distance keeps a choice where only copies of the chosen are left; a chosen one has none.
        nearest = torch.minimum(nearest, distance.clamp_min(1e-6))
        nearest[chosen[-1]] = 0
        chosen.append(int(torch.multinomial(nearest, 1, generator=random)))
    return sample[chosen].clone()


def _fill(assignment: Tensor, scores: Tensor, potentials: Tensor, epsilon: float, least: int) -> int:
    """Fill clusters with fewer than `least` images, those U gives most to them; return how many moved.

    In place. Images come only from clusters that can spare them; since least · k ≤ N, there are always
    enough.
    """
    n, k = scores.shape
    moved = 0
    sizes = torch.bincount(assignment, minlength=k)
    for j in torch.nonzero(sizes < least).flatten().tolist():
        share = torch.cat([log_posterior(rows, potentials, epsilon)[:, j] for rows in scores.split(_ROWS)])
        for i in share.argsort(descending=True, stable=True).tolist():
            if sizes[j] >= least:
                break
            source = int(assignment[i])
            if source != j and sizes[source] > least:
                assignment[i] = j
                sizes[source] -= 1
                sizes[j] += 1
                moved += 1
    return moved
