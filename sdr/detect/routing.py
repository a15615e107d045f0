"""Which sub-net suits a detection set: a cheap proxy picks candidates, short fine-tunes among them decide.

Candidates train on the split "train" with the same batches, and are compared by their AP on the split "val". The
split "test" is never opened here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from sdr.base.checkpoint import States
from sdr.base.errors import UserError
from sdr.base.progress import Progress
from sdr.base.randomness import numpy_rng
from sdr.detect.coco_ap import measure
from sdr.detect.finetune import FineTuning
from sdr.detect.halving import Halving, compete
from sdr.detect.params import Detector
from sdr.detect.proxy import Proxy, evenly
from sdr.detect.sets import Annotation, DetectionSet
from sdr.detect.voc_ap import DivergedError
from sdr.evaluate.knn import Knn

_ATTEMPTS = 3  # at the learning rate, at half of it and at a quarter, while every candidate diverges


@dataclass(frozen=True)
class DetectionRouting:
    """The outcome.

    Attributes:
        proxy: of each sub-net, percent, n_subnets float64.
        candidates: sub-nets that were fine-tuned, by proxy, best first.
        halving: their APs, percent, at each rung that was needed.
        rungs: all that were planned, iterations.
        shown: images that passed through a network without training it, by purpose.
        failed: why no candidate has an AP, so that the best proxy was chosen; None: they have.
    """

    proxy: np.ndarray
    candidates: list[int]
    halving: Halving
    rungs: list[int]
    shown: dict[str, int]
    failed: str | None = None

    @property
    def winner(self) -> int:
        """The chosen sub-net."""
        return self.halving.ranking[0]

    def facts(self) -> dict:
        """For `route.json`: the winner's scores, how far the proxy agrees with AP, and what the search cost."""
        scored = self.halving.rungs
        return {
            "proxy": round(self.proxy[self.winner], 4),
            "ap": round(scored[-1].scores[self.winner], 4) if scored and not self.failed else None,
            "failed": self.failed,
            "compared": [
                {
                    "iterations": rung.budget,
                    "candidates": len(rung.scores),
                    "spearman": _rounded(self._agreement(rung.scores)),
                }
                for rung in scored
            ],
            "iterations": self.halving.iterations,
            "exhaustive_iterations": len(self.proxy) * self.rungs[-1],
            "images_shown": self.shown,
        }

    def rows(self, paths: list[str]) -> list[dict]:
        """For `candidates.csv`: all sub-nets, those that were fine-tuned first, then the others by proxy.

        An AP is empty where a sub-net was not trained so far.
        """
        by_proxy = _descending(self.proxy)
        reached = {rung.budget: rung.scores for rung in self.halving.rungs}
        others = [i for i in by_proxy if i not in self.candidates]
        return [
            {
                "rank": rank,
                "subnet": i,
                "path": paths[i],
                "proxy": round(self.proxy[i], 4),
                "proxy_rank": by_proxy.index(i) + 1,
                **{f"ap_{until}": _cell(reached.get(until, {}).get(i)) for until in self.rungs},
            }
            for rank, i in enumerate(self.halving.ranking + others, start=1)
        ]

    def _agreement(self, scores: dict[int, float]) -> float | None:
        arms = [arm for arm, score in scores.items() if score > -math.inf]
        return spearman(self.proxy[arms], np.array([scores[arm] for arm in arms]))


def search(
    subnet: Callable[[int], nn.Module],
    n_subnets: int,
    data: DetectionSet,
    detector: Detector,
    knn: Knn,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> DetectionRouting:
    """Choose among the sub-nets.

    Args:
        subnet: number → backbone with its batch-norm statistics, valid until the next call.
        progress: what an interrupted run of the same search has found; is added to.

    Raises:
        UserError: the set has too few boxes, or a sub-net's features are not finite.
    """
    routing = detector.routing
    longest = routing.proxy_side * detector.max_size // detector.test_size  # the detector's own proportion
    pool = Proxy(data, routing.proxy_images, routing.proxy_side, longest, knn, device)
    truth = _compared_on(data, routing.val_images)
    proxy = _proxy_scores(subnet, n_subnets, pool, progress)
    arms = candidates(proxy, routing.keep, routing.explore, seed)
    failures: list[str] = []
    slower = detector

    def advance(arm: int, until: int, states: States) -> tuple[float, dict]:
        backbone, title = subnet(arm), f"sub-net {arm}"
        run = FineTuning(backbone, data, "train", slower, seed, device, decay=False, name=title)
        if (state := states.load()) is not None:
            run.restore(state)
        try:
            run.advance(until, states)
            return measure(data.rules, truth, run.detect(truth), len(data.classes))["ap_present"], run.state()
        except DivergedError as error:  # it diverged: no reason to stop the others
            failures.append(str(error))
            return -math.inf, {}

    failed = None
    for attempt in range(_ATTEMPTS):
        slower = detector.model_copy(update={"lr": detector.lr / 2**attempt})
        result = compete(arms, routing.rungs, routing.survivors, advance, progress, f"rate {slower.lr:g}")
        if result.winner is not None or not result.rungs:
            break
        last = f"; {failures[-1]}" if failures else ""  # none if all of them failed before an interruption
        failed = (
            f"every candidate diverged by iteration {result.rungs[-1].budget}, at last at a learning rate of "
            f"{slower.lr:g}; lower `lr` of this set's detector in params.yaml ({detector.lr:g}){last}"
        )
    if result.winner is not None:
        failed = None
    compared = sum(len(rung.scores) for rung in result.rungs)
    shown = {"proxy": n_subnets * pool.n_images, "comparison": compared * len(truth)}
    return DetectionRouting(proxy, arms, result, routing.rungs, shown, failed)


def candidates(proxy: np.ndarray, keep: int, explore: int, seed: int) -> list[int]:
    """The `keep` sub-nets with the best proxy and `explore` others at random, by proxy, best first.

    Those at random are a guard against a misleading proxy, and show how it does outside of its favourites.
    """
    order = _descending(proxy)
    others = order[keep:]
    drawn = numpy_rng(seed, "explore").choice(len(others), min(explore, len(others)), replace=False)
    return order[:keep] + [others[i] for i in sorted(drawn)]


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Rank correlation in [-1, 1], equal values sharing their mean rank; None where either is constant."""
    ranks = [_mean_ranks(values) - (len(values) - 1) / 2 for values in (a, b)]
    norm = math.sqrt(np.square(ranks[0]).sum() * np.square(ranks[1]).sum())
    return float(ranks[0] @ ranks[1] / norm) if norm > 0 else None


def _compared_on(data: DetectionSet, count: int) -> list[Annotation]:
    truth = evenly(data.annotations("val"), count)
    if all(annotation.difficult.all() for annotation in truth):
        raise UserError(
            f"none of the {len(truth)} images of the split val that routing compares on has a box that is not "
            "difficult; raise routing.val_images of the detector, or annotate some"
        )
    return truth


def _proxy_scores(subnet: Callable[[int], nn.Module], n_subnets: int, pool: Proxy, progress: Progress) -> np.ndarray:
    """The score of each sub-net, going on from those that are known."""
    scores: list[float] = progress.get("proxy") or []
    left = range(len(scores), n_subnets)
    for i in tqdm(left, "proxy", n_subnets, initial=len(scores), unit="sub-net", disable=None):
        try:
            scores.append(pool.score(subnet(i)))
        except UserError as error:
            raise UserError(f"sub-net {i}: {error}") from None
        progress.put("proxy", scores)
    return np.array(scores)


def _descending(values: np.ndarray) -> list[int]:
    """Indices by value, the largest first; of equal ones the lower index."""
    return np.argsort(-values, kind="stable").tolist()


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cell(ap: float | None) -> float | str:
    if ap is None:
        return ""
    return "diverged" if ap == -math.inf else round(ap, 4)
