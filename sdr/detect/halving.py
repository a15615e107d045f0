"""Successive halving (Jamieson and Talwalkar 2016): train many arms a little, the best of them on, and so on.

Resumable after any interruption: each arm's state and score are kept under `$SDR_SCRATCH` (as
`sdr.base.checkpoint`) until `forget`. A score that is written is never computed again.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sdr.base.checkpoint import States
from sdr.base.outputs import scratch, write_json

Advance = Callable[[int, int, States], tuple[float, dict]]
"""(arm, iterations in total, its states) → score (higher is better, -inf: the arm failed), state.

It goes on from `states.load()`, if that is not None, and may `states.save` on the way.
"""


@dataclass(frozen=True)
class Rung:
    """One round: every arm still in the race, scored after `iterations` in total, best first."""

    iterations: int
    scores: dict[int, float]


@dataclass(frozen=True)
class Halving:
    """A finished search.

    Attributes:
        winner: None if all the arms of the last rung failed.
        ranking: all arms, best first: who got further, then who scored higher there.
    """

    winner: int | None
    ranking: list[int]
    rungs: list[Rung]

    @property
    def iterations(self) -> int:
        """Iterations of training of all arms together; one that failed counts up to the end of its rung."""
        starts = [0, *(rung.iterations for rung in self.rungs)]
        return sum(len(rung.scores) * (rung.iterations - start) for rung, start in zip(self.rungs, starts))


def halve(
    arms: Sequence[int], iterations: Sequence[int], survivors: Sequence[int], advance: Advance, name: str
) -> Halving:
    """Find the best of `arms`; nothing is trained where there is no choice left.

    Args:
        arms: different numbers. Of equal scores the better at the rung before wins, at the first the earlier here.
        iterations: total of an arm at each rung, increasing.
        survivors: how many go on after each rung but the last. A failed arm never does.
        advance: trains and scores an arm.
        name: of the `folder` for going on, from `sdr.base.checkpoint.fingerprint`.
    """
    records = _Records(name)
    alive, out, rungs = list(arms), [], []
    for until, keep in zip(iterations, [*survivors, 1], strict=True):
        if len(alive) < 2:
            break
        scores: dict[int, float] = {}
        for arm in tqdm(alive, desc=f"to iteration {until}", unit="sub-net", disable=None):
            scores[arm] = records.score(until, arm)
            if scores[arm] is None:
                scores[arm], state = advance(arm, until, records.states(arm))
                if arm in _best(scores, keep) and until != iterations[-1]:
                    records.states(arm).save(state, until)  # before the score: what has a score has its state
                del state  # of a network as large as the next
                records.keep_score(until, arm, scores[arm])
            records.drop_states(scores.keys() - _best(scores, keep))  # they cannot come back: bounds the disk
        ranked = sorted(scores, key=lambda arm: -scores[arm])  # stable
        rungs.append(Rung(until, {arm: scores[arm] for arm in ranked}))
        alive = _best(scores, keep)
        out = [arm for arm in ranked if arm not in alive] + out
    return Halving(alive[0] if alive else None, alive + out, rungs)


def folder(name: str) -> Path:
    """Where a search keeps what it goes on from. What comes before the race may keep its records there too."""
    return scratch() / name


def forget(name: str) -> None:
    """Delete the folder: what came of the search is safe."""
    shutil.rmtree(folder(name), ignore_errors=True)


def read_record(file: Path) -> Any:
    """What `write_json` wrote; None if there is nothing, or nothing that can be read (then that part starts anew)."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        print(f"{file}: not readable ({error}); starting anew")
        return None


def _best(scores: dict[int, float], keep: int) -> list[int]:
    """At most `keep` arms that did not fail, best first."""
    ranked = sorted(scores, key=lambda arm: -scores[arm])
    return [arm for arm in ranked if scores[arm] > -math.inf][:keep]


class _Records:
    """The scores so far, in one file, and the state of each arm in a folder beside it."""

    def __init__(self, name: str):
        self._name, self._file = name, folder(name) / "scores.json"
        self._scores: dict[str, dict[str, float | None]] = read_record(self._file) or {}

    def states(self, arm: int) -> States:
        return States(folder(self._name) / str(arm), f"arm {arm}", self._name, keep=1)

    def score(self, until: int, arm: int) -> float | None:
        """The score of an arm at a rung; None if it has none yet."""
        rung = self._scores.get(str(until), {})
        if str(arm) not in rung:
            return None
        score = rung[str(arm)]
        return -math.inf if score is None else score  # JSON knows no infinity

    def keep_score(self, until: int, arm: int, score: float) -> None:
        self._scores.setdefault(str(until), {})[str(arm)] = None if score == -math.inf else score
        write_json(self._file, self._scores)

    def drop_states(self, arms: Iterable[int]) -> None:
        for arm in arms:
            self.states(arm).remove()
