"""Which sub-net suits a task (paper, section 4.3): scores of frozen features of its training images.

Test images and labels are never seen here. Three searches: `exhaustive`, every sub-net on every image, the reference;
`tree`, the same scores with what paths share computed once; `halving`, most sub-nets on few images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import nn
from tqdm import tqdm

from sdr.base.halving import Rung, ranking
from sdr.base.params import Section
from sdr.base.progress import Progress
from sdr.evaluate.knn import Knn
from sdr.nets.calibrate import sample
from sdr.nets.embed import Embedding, embed, evaluation_view
from sdr.route.candidates import Choice, Kind, backbone_of, candidates
from sdr.route.choose import Selection
from sdr.route.decide import Decision, decide, folds_of
from sdr.route.judge import Judge, Judged
from sdr.route.prior import Clusters
from sdr.route.race import Halving, race
from sdr.route.sample import balanced_order
from sdr.route.score import Score, ScoreName
from sdr.route.trained import TrainedSdr
from sdr.route.tree import Embedder

_LOOKED_AT = 2000  # images, at most, whose clusters say which sub-nets are worth a try


class Search(Section):
    """How the sub-net is found."""

    method: Literal["exhaustive", "tree", "halving"]
    score: ScoreName
    prior: float = Field(gt=0, le=1)
    """Share of the sub-nets that are tried, those with most of the task's images in their clusters; 1: all."""
    top_m: PositiveInt
    """Sub-nets that are evaluated together too, as one ensemble; 1: only the best, alone."""
    candidates: list[Kind] = Field(min_length=1)
    """What is chosen among: `subnets`, with statistics as calibrate.source says; `subnets_all`, of all images;
    `subnets_own`, of the task's training images; `baseline`; `baseline_clusters`, the baseline with statistics of each cluster in turn;
    `baseline_own`, of the task's training images; `w0`."""
    selection: Selection
    halving: Halving


@dataclass(frozen=True)
class Labelled:
    """Images to route by: `N×S×S×3` uint8, their targets (int64 N or bool `N×C`), and how a task of C classes is scored."""

    name: str
    images: np.ndarray
    targets: np.ndarray
    n_classes: int
    metric: str


@dataclass(frozen=True)
class Candidate:
    """A sub-net that was tried: its score, the baseline's on the same images, and how many those were."""

    subnet: int
    score: float
    baseline: float
    images: int


@dataclass(frozen=True)
class Ranking:
    """A finished search.

    Attributes:
        candidates: best first: who got further, then who scored higher there; of equal ones the lower number.
        supernet, baseline: scores of W_0 and of the baseline on the images that decided.
        macs: multiply-adds of the search (W_0's and the baseline's scores are for comparison and not counted,
            the prior is).
        exhaustive: those of every sub-net on every image, one by one.
        forwards: images times sub-nets.
        prior: share of the task's images in each sub-net's cluster, float64 `n_subnets`.
        decision: what to take, of all candidates; its multiply-adds beyond those of the sub-nets are not counted.
    """

    candidates: list[Candidate]
    supernet: float
    baseline: float
    macs: int
    exhaustive: int
    forwards: int
    prior: np.ndarray
    decision: Decision

    @property
    def winner(self) -> Candidate:
        return self.candidates[0]


def search(
    trained: TrainedSdr,
    baseline: nn.Module,
    task: Labelled,
    params: Search,
    knn: Knn,
    show: Embedding,
    clusters: Clusters,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Ranking:
    """Rank sub-nets for a task.

    Args:
        trained, baseline: the networks, calibrated.
        task: labelled images.
        params: the search.
        knn, show: parameters of the kNN score, and how images are shown.
        clusters: where clusters lie among the baseline's features.
        seed: of the order of the images and of the bootstrap.
        device: of the networks.
        progress: what an interrupted run of the same search has found; is added to.

    Raises:
        UserError: `tree` with statistics of each sub-net's own; too few images; features that are not finite; a candidate that
            was not trained.
    """
    candidates(params.candidates, (), trained)  # what cannot be is told before anything is computed
    if any(kind.endswith("_own") for kind in params.candidates):
        rows = sample(np.arange(len(task.images)), trained.images, seed)
        trained.of_task = evaluation_view(task.images[rows], show.side, device)
    score = Score(params.score, task.metric, task.n_classes, knn)
    share = params.method == "tree" or (params.method == "halving" and trained.common)
    embedder = Embedder(trained, task.images, show, device, share)
    order = balanced_order(task.targets, seed)
    prior = clusters.shares(embed(baseline, task.images[np.sort(order[:_LOOKED_AT])], show, device))
    numbers = _most(prior, params.prior)
    judge = Judge(
        tuple(dict.fromkeys([params.score, *params.selection.also])),
        score,
        task.targets,
        folds_of(order, params.selection.folds),
    )
    seen: dict[Choice, Judged] = {}
    if params.method == "halving":
        rounds = race(numbers, order, task.targets, embedder, score, params.halving, seed, progress)
    else:
        rounds = [_all(numbers, order, judge, seen, embedder, progress)]
    looked = min(len(order), _LOOKED_AT) * embedder.full if params.prior < 1 else 0

    def reference(network: nn.Module, images: int) -> float:
        rows = order[:images]
        return score(embed(network, task.images[rows], show, device), task.targets[rows])

    decided = np.sort(order[: rounds[-1].budget])  # the images that decide
    on_these = judge.on(decided)

    def judged(choice: Choice) -> Judged:
        if choice not in seen:
            backbone = backbone_of(choice, trained, baseline)
            seen[choice] = on_these(embed(backbone, task.images[decided], show, device))
        return seen[choice]

    base = {n: reference(baseline, n) for n in sorted({found.budget for found in rounds})}
    last: dict[int, Rung] = {i: found for found in rounds for i in found.scores}
    return Ranking(
        [Candidate(i, last[i].scores[i], base[last[i].budget], last[i].budget) for i in ranking(rounds)],
        reference(trained.supernet(), rounds[-1].budget),
        base[rounds[-1].budget],
        embedder.cost["macs"] + looked,
        embedder.full * len(order) * trained.n_subnets,
        embedder.cost["forwards"],
        prior,
        decide(
            candidates(params.candidates, sorted(rounds[-1].scores), trained),
            judged,
            prior,
            params.selection,
            trained.w0_trained,
        ),
    )


def _most(prior: np.ndarray, share: float) -> list[int]:
    """Return the given share of the sub-nets, one at least, of the largest prior; of equal ones the lower number."""
    first = np.argsort(-prior, kind="stable")[: max(1, round(share * len(prior)))]
    return sorted(first.tolist())


def _all(
    numbers: Sequence[int],
    order: np.ndarray,
    judge: Judge,
    seen: dict[Choice, Judged],
    embedder: Embedder,
    progress: Progress,
) -> Rung:
    """Judge sub-nets on all images, into `seen`; those that an interrupted run scored are not scored again."""
    known: dict[int, float] = {}
    if kept := progress.get("scores"):
        known = {int(i): value for i, value in kept["scores"].items()}
        embedder.cost = {name: kept[name] for name in embedder.cost}
    left = [i for i in numbers if i not in known]
    rows = np.sort(order)
    for i, features in tqdm(embedder(left, rows), "routing", len(left), unit=" sub-nets", disable=None):
        found = seen[Choice("subnets", i)] = judge(features)
        known[i] = float(found.values[judge.score.name][0])
        progress.put("scores", {"scores": known, **embedder.cost})
    return Rung(len(order), {i: known[i] for i in sorted(numbers, key=lambda i: (-known[i], i))})
