"""Successive halving over images: all candidates on a few, the best of them on more, until one is clearly ahead."""

from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import Field
from tqdm import tqdm

from sdr.base.halving import Rung, Scores, halve
from sdr.base.params import Section
from sdr.base.progress import Progress
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

    def schedule(self, candidates: int, images: int, n_classes: int) -> Iterator[tuple[int, int]]:
        """(images, how many candidates go on) of each round, up to all `images`."""
        now = min(images, max(self.least, self.per_class * n_classes))
        while True:
            candidates = max(1, round(self.keep * candidates))
            yield now, candidates
            if now == images:
                return
            now = min(images, max(now + 1, int(now * self.growth)))


def race(
    candidates: Sequence[int],
    order: np.ndarray,
    targets: np.ndarray,
    embed: Embedder,
    score: Score,
    params: Halving,
    seed: int,
    progress: Progress,
) -> list[Rung]:
    """Return the rounds, their budgets in images; the leader of the last is the winner.

    An image is shown to a candidate once: later rounds add images. The last round is the one whose leader is ahead of every
    other in 95 % of the bootstrap resamples.

    Args:
        candidates: numbers of sub-nets, increasing.
        order: the training images, in the order in which they are taken.
        targets: of all training images, int64 N or bool N×C.
        embed: features of sub-nets on rows of the training images.
        score: of features.
        params: the schedule.
        seed: of the bootstrap.
        progress: holds the rounds that an earlier, interrupted run finished; is given the new ones.
    """
    features: dict[int, np.ndarray] = {}
    seen, separated = 0, False

    def scored(numbers: Sequence[int], images: int) -> Scores:
        nonlocal features, seen, separated
        if kept := progress.get(f"{images} images"):
            embed.cost, separated = {name: kept[name] for name in embed.cost}, kept["separated"]
            return {int(i): value for i, value in kept["scores"].items()}
        shown = embed(numbers, order[seen:images])
        new = dict(tqdm(shown, f"{images:,} images", len(numbers), unit=" sub-nets", disable=None))
        features = {i: np.concatenate([features[i], new[i]]) if seen else new[i] for i in numbers}
        seen, y = images, targets[order[:images]]
        found = {i: score(features[i], y) for i in sorted(numbers)}
        separated = _separated(found, features, y, score, seed)
        progress.put(f"{images} images", {"scores": found, "separated": separated} | embed.cost)
        return found

    schedule = params.schedule(len(candidates), len(order), score.n_classes)
    return halve(candidates, schedule, scored, lambda rung, left: separated)


def _separated(found: Scores, features: dict[int, np.ndarray], y: np.ndarray, score: Score, seed: int) -> bool:
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
