"""Weighted k-nearest-neighbour classification on frozen features (Wu et al. 2018; SDR, section 4.3).

The k neighbours with the largest cosine vote with weight exp(cos / T). Class scores are the shares of that
vote, so they are comparable between images, as a multi-label metric needs. Ties are settled, not left to a
library: cosines within 1e-6 (what float32 resolves) are equal and the lower index comes first, so that
duplicates do no harm.
"""

import importlib.util

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sdr.base.errors import UserError
from sdr.base.params import Section

_TIE = 1e-6  # cosines closer than this are equal
_CHUNK = 1 << 24  # cosines held at a time: 64 MiB; faiss has blocks of its own, of 16 MiB
_MOST_SCORES = 1 << 31  # class scores held at a time: 16 GiB
_MOST_ON_GPU = 2048  # neighbours that faiss finds on a GPU


class Knn(Section):
    """Parameters of the nearest-neighbour classifier."""

    k: int = Field(ge=1)
    """Neighbours that vote; all of them where a task has fewer."""
    temperature: float = Field(gt=0, le=1e3)
    """T of the weight exp(cos / T)."""


def knn_scores(
    train_x: np.ndarray | Tensor,
    train_y: np.ndarray,
    test_x: np.ndarray | Tensor,
    n_classes: int,
    k: int,
    temperature: float,
) -> np.ndarray:
    """Class scores of test images.

    Args:
        train_x, test_x: N×D and n×D features of any scale. Tensors are searched on their device, arrays by
            faiss.
        train_y: int64 N in [0, C), or bool N×C for a multi-label task.
        n_classes: C.
        k: neighbours; N where N is smaller.
        temperature: T > 0.

    Returns:
        n×C float64 in [0, 1]: the weighted share of the neighbours that have the class. A row of a
        single-label task sums to 1.

    Raises:
        UserError: features that are not finite.
    """
    cosine, neighbour = _neighbours(_unit(test_x), _unit(train_x), k, own=False)
    return _vote(cosine, neighbour, train_y, n_classes, temperature)


def leave_one_out(x: np.ndarray | Tensor, y: np.ndarray, n_classes: int, k: int, temperature: float) -> np.ndarray:
    """Class scores of each image from all the others: `knn_scores`, an image never being its own neighbour.

    It is left out by its index, not by its distance: exact copies of it do vote.

    Raises:
        UserError: fewer than two images, or features that are not finite.
    """
    if len(x) < 2:
        raise UserError(f"leave-one-out needs at least 2 labelled images, got {len(x)}; add images to the task")
    vectors = _unit(x)
    cosine, neighbour = _neighbours(vectors, vectors, k, own=True)
    return _vote(cosine, neighbour, y, n_classes, temperature)


def _vote(cosine: np.ndarray, neighbour: np.ndarray, y: np.ndarray, n_classes: int, temperature: float) -> np.ndarray:
    if len(cosine) * n_classes > _MOST_SCORES:
        raise UserError(
            f"kNN scores of {len(cosine):,} images for {n_classes:,} classes would take "
            f"{len(cosine) * n_classes >> 27:,} GiB; give fewer images or classes, or merge classes"
        )
    weight = np.exp((cosine.astype(np.float64) - cosine[:, :1]) / temperature)  # n×k; relative to the nearest
    weight /= weight.sum(axis=1, keepdims=True)
    scores = np.zeros((len(cosine), n_classes))
    everyone = np.arange(len(scores))
    for rank in range(cosine.shape[1]):  # a neighbour at a time: n×C is the most that is ever held
        label = y[neighbour[:, rank]]
        if y.ndim == 1:
            scores[everyone, label] += weight[:, rank]
        else:
            scores += weight[:, rank, None] * label
    return scores


def _unit(x: np.ndarray | Tensor) -> np.ndarray | Tensor:
    vectors = torch.nn.functional.normalize(torch.as_tensor(x).float(), dim=1)
    if not torch.isfinite(vectors).all():
        raise UserError("the features hold NaN or infinity; look for a collapsed or diverged network")
    return vectors if isinstance(x, Tensor) else vectors.numpy()


def _neighbours(queries, bank, k: int, own: bool) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of the bank for each query, nearest first: cosines and indices, n×k.

    With `own` the queries are the bank, and none is its own neighbour.
    """
    others = len(bank) - own
    k = min(k, others)
    count = min(k + 1, others)  # one more than asked for shows whether the last place is a tie
    search = _search if isinstance(bank, Tensor) or importlib.util.find_spec("faiss") is None else _search_faiss
    cosine, index = search(queries, bank, count, own)
    order = np.lexsort((index, -cosine), axis=1)
    cosine, index = np.take_along_axis(cosine, order, 1), np.take_along_axis(index, order, 1)
    if count > k:
        tied = np.flatnonzero(cosine[:, k - 1] - cosine[:, k] < _TIE)
        for rows in np.array_split(tied, -(-len(tied) * len(bank) // _CHUNK)) if len(tied) else ():
            cosine[rows, :k], index[rows, :k] = _settle(queries, bank, rows, k, own)
    return cosine[:, :k], index[:, :k]


def _search(queries, bank, count: int, own: bool) -> tuple[np.ndarray, np.ndarray]:
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    found = []
    start = 0
    for block in queries.split(max(1, _CHUNK // len(bank))):
        cosine = block @ bank.T
        if own:
            cosine.diagonal(start).fill_(-torch.inf)
        found.append(cosine.topk(count, dim=1))
        start += len(block)
    values, indices = zip(*found, strict=True)
    return torch.cat(values).cpu().numpy(), torch.cat(indices).cpu().numpy()


def _search_faiss(queries: np.ndarray, bank: np.ndarray, count: int, own: bool) -> tuple[np.ndarray, np.ndarray]:
    import faiss  # after torch: the other way round their OpenMP runtimes clash

    index = faiss.IndexFlatIP(bank.shape[1])
    if faiss.get_num_gpus() and count + own <= _MOST_ON_GPU:
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    index.add(np.ascontiguousarray(bank))
    cosine, neighbour = index.search(np.ascontiguousarray(queries), count + own)
    if own:
        itself = neighbour == np.arange(len(queries))[:, None]
        itself[~itself.any(axis=1), -1] = True  # hidden behind its copies: any of them may go, the tie is settled later
        rest = (len(queries), count)
        cosine, neighbour = cosine[~itself].reshape(rest), neighbour[~itself].reshape(rest)
    return cosine, neighbour


def _settle(queries, bank, rows: np.ndarray, k: int, own: bool) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of some queries by cosine in steps of 1e-6, then by index."""
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    where = torch.as_tensor(rows, device=queries.device)
    cosine = torch.round(queries[where] @ bank.T / _TIE) * _TIE
    if own:
        cosine[torch.arange(len(rows), device=where.device), where] = -torch.inf
    values, indices = cosine.sort(dim=1, descending=True, stable=True)
    return values[:, :k].cpu().numpy(), indices[:, :k].cpu().numpy()
