"""Successive halving over images: all candidates on a few, the best of them on more, until one is clearly ahead."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import Field
from tqdm import tqdm

from sdr.base.params import Section
from sdr.route.progress import Progress
from sdr.route.score import Score
from sdr.route.tree import Embedder

_RESAMPLES = 200
_LEVEL = 95  # percent of the resamples in which the leader must be ahead


class Halving(Section):
    """Parameters of the search `halving`."""

    per_class: int = Field(ge=2)
    """Images of each class in the first round."""
    least: int = Field(ge=2)
    """Images in the first round, at least; all of them where a task has fewer."""
    growth: float = Field(gt=1, le=1e6)
    """How many times as many images the next round has."""
    keep: float = Field(gt=0, lt=1)
    """Share of the candidates that go on to it."""


@dataclass(frozen=True)
class Round:
    """Scores of the candidates of one round, on the first `images` of the order."""

    images: int
    scores: dict[int, float]
    separated: bool  # the leader is ahead of every other in 95 % of the bootstrap resamples


def race(
    candidates: Sequence[int],
    order: np.ndarray,
    targets: np.ndarray,
    embed: Embedder,
    score: Score,
    params: Halving,
    seed: int,
    progress: Progress,
) -> list[Round]:
    """Return the rounds; the leader of the last is the winner.

    An image is shown to a candidate once: later rounds add images.

    Args:
        candidates: numbers of sub-nets.
        order: the training images, in the order in which they are taken.
        targets: of all training images, int64 N or bool N×C.
        embed: features of sub-nets on rows of the training images.
        score: of features.
        params: the schedule.
        seed: of the bootstrap.
        progress: holds the rounds that an earlier, interrupted run finished; is given the new ones.
    """
    rounds, seen = _finished(progress, embed), 0
    features: dict[int, np.ndarray] = {}
    while not rounds or _goes_on(rounds[-1], len(order)):
        if rounds:
            best = sorted(rounds[-1].scores, key=lambda i: (-rounds[-1].scores[i], i))
            candidates = best[: max(1, round(params.keep * len(best)))]
            images = min(len(order), max(rounds[-1].images + 1, int(rounds[-1].images * params.growth)))
        else:
            images = min(len(order), max(params.least, params.per_class * score.n_classes))
        bar = tqdm(
            embed(candidates, order[seen:images]),
            f"round {len(rounds) + 1}, {images:,} images",
            len(candidates),
            unit=" sub-nets",
            disable=None,
        )
        new = dict(bar)
        features = {i: np.concatenate([features[i], new[i]]) if seen else new[i] for i in candidates}
        seen, y = images, targets[order[:images]]
        found = {i: score(features[i], y) for i in sorted(candidates)}
        rounds.append(Round(images, found, _separated(found, features, y, score, seed)))
        progress.put(f"round {len(rounds)}", asdict(rounds[-1]) | embed.cost)
    return rounds


def _finished(progress: Progress, embed: Embedder) -> list[Round]:
    rounds: list[Round] = []
    while found := progress.get(f"round {len(rounds) + 1}"):
        rounds.append(Round(found["images"], {int(i): v for i, v in found["scores"].items()}, found["separated"]))
        embed.cost = {name: found[name] for name in embed.cost}
    return rounds


def _goes_on(last: Round, n: int) -> bool:
    return len(last.scores) > 1 and last.images < n and not last.separated


def _separated(
    found: dict[int, float], features: dict[int, np.ndarray], y: np.ndarray, score: Score, seed: int
) -> bool:
    """Whether the leader beats each rival in most paired resamples; the closest rivals are asked first."""
    leader, *rivals = sorted(found, key=lambda i: (-found[i], i))
    if not rivals:
        return True
    lead = score.resampled(features[leader], y, _RESAMPLES, seed)
    for i in rivals:
        gap = lead - score.resampled(features[i], y, _RESAMPLES, seed)
        if not len(gap) or np.nanpercentile(gap, 100 - _LEVEL) <= 0:
            return False
    return True
