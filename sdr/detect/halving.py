"""Successive halving over trained arms: train many a little, the best of them on, and so on (`sdr.base.halving`).

Resumable after any interruption: each arm's state and score are kept in a `Progress`. A score that is kept is never
computed again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from sdr.base.checkpoint import States
from sdr.base.halving import Rung, Scores, best, halve, ranking
from sdr.base.progress import Progress

Advance = Callable[[int, int, States], tuple[float, dict]]
"""(arm, iterations in total, its states) → score (higher is better, -inf: the arm failed), state.

It goes on from `states.load()`, if that is not None, and may `states.save` on the way.
"""


@dataclass(frozen=True)
class Halving:
    """A finished search.

    Attributes:
        winner: None if all the arms of the last rung failed.
        ranking: all arms, best first: who got further, then who scored higher there.
        rungs: their budgets in iterations.
    """

    winner: int | None
    ranking: list[int]
    rungs: list[Rung]

    @property
    def iterations(self) -> int:
        """Iterations of training of all arms together; one that failed counts up to the end of its rung."""
        starts = [0, *(rung.budget for rung in self.rungs)]
        return sum(len(rung.scores) * (rung.budget - start) for rung, start in zip(self.rungs, starts))


def compete(
    arms: Sequence[int],
    iterations: Sequence[int],
    survivors: Sequence[int],
    advance: Advance,
    progress: Progress,
    name: str = "race",
) -> Halving:
    """Find the best of `arms`; nothing is trained where there is no choice left.

    Args:
        arms: different numbers. Of equal scores the better at the rung before wins, at the first the earlier here.
        iterations: total of an arm at each rung, increasing.
        survivors: how many go on after each rung but the last. A failed arm never does.
        advance: trains and scores an arm.
        progress: keeps scores, and states in its folder.
        name: tells several races of one search apart.
    """
    if len(arms) < 2:
        return Halving(arms[0] if arms else None, list(arms), [])
    keep = dict(zip(iterations, [*survivors, 1], strict=True))

    def scored(alive: Sequence[int], until: int) -> Scores:
        part = f"{name}, to iteration {until}"
        known: dict[str, float | None] = progress.get(part) or {}
        scores: Scores = {}
        for arm in tqdm(alive, desc=part, unit="sub-net", disable=None):
            if str(arm) in known:
                found = known[str(arm)]
                scores[arm] = -math.inf if found is None else found  # JSON knows no infinity
            else:
                scores[arm], state = advance(arm, until, states(arm))
                if arm in best(scores, keep[until]) and until != iterations[-1]:
                    states(arm).save(state, until)  # before the score: what has a score has its state
                del state  # of a network as large as the next
                known[str(arm)] = None if scores[arm] == -math.inf else scores[arm]
                progress.put(part, known)
            for lost in scores.keys() - best(scores, keep[until]):  # they cannot come back: bounds the disk
                states(lost).remove()
        return scores

    def states(arm: int) -> States:
        return States(progress.folder / name / str(arm), f"arm {arm}", progress.name, keep=1)

    rungs = halve(arms, keep.items(), scored, lambda rung, left: len(left) < 2)
    left = best(rungs[-1].scores, 1)
    return Halving(left[0] if left else None, ranking(rungs), rungs)
