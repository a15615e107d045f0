"""Successive halving (Jamieson and Talwalkar 2016): all candidates at a small budget, the best of them at more, and so on."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Scores = dict[int, float]
"""Of candidates, by number; higher is better, -inf: it failed."""


@dataclass(frozen=True)
class Rung:
    """One round: the candidates that were left, best first, each with its score at the budget (images or iterations)."""

    budget: int
    scores: Scores


def halve(
    candidates: Sequence[int],
    schedule: Iterable[tuple[int, int]],
    score: Callable[[Sequence[int], int], Scores],
    ended: Callable[[Rung, Sequence[int]], bool],
) -> list[Rung]:
    """Return the rounds; the best of the last is the winner.

    Going on after an interruption is the matter of `score`: it keeps what it found in a `sdr.base.progress.Progress`.

    Args:
        candidates: different numbers.
        schedule: of each round its budget, increasing, and how many candidates go on from it. A failed one never does.
        score: (candidates, budget) → their scores. Of equal ones the first here counts as the better.
        ended: (round, who would go on, best first) → whether it was the last; the end of the schedule is the end too.
    """
    rungs: list[Rung] = []
    for budget, keep in schedule:
        rungs.append(Rung(budget, _ranked(score(candidates, budget))))
        candidates = best(rungs[-1].scores, keep)
        if ended(rungs[-1], candidates):
            break
    return rungs


def best(scores: Scores, keep: int) -> list[int]:
    """At most `keep` candidates that did not fail, best first."""
    return [i for i, score in _ranked(scores).items() if score > -math.inf][:keep]


def ranking(rungs: Sequence[Rung]) -> list[int]:
    """All candidates, best first: who got further, then who scored higher there."""
    return list(dict.fromkeys(i for rung in reversed(rungs) for i in rung.scores))


def _ranked(scores: Scores) -> Scores:
    return dict(sorted(scores.items(), key=lambda item: -item[1]))  # stable
