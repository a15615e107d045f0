"""How far routing's verdict holds: of the cases (task and seed) in which it says "take it", in how many the choice's test score is not
below that of the baseline that it starts from.

Both are of the same run, so that the row `BASELINE` costs nothing beside the row `CHOICE`. Written as `metrics/experiments/verdict.json`.
Intervals are Wilson's (1927); cases of one run are not quite independent, so that they are somewhat too narrow.
"""

from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import binomtest

from sdr.base.errors import UserError
from sdr.base.outputs import write_json
from sdr.experiments.gain import CHOICE, CORPORA, of_corpora, origin
from sdr.experiments.measured import FOLDER, VERDICTS, Line
from sdr.experiments.sets import FOLDER as SETS
from sdr.experiments.sets import ExperimentSet
from sdr.report.scores import PROTOCOLS

BASELINE = "the baseline that it starts from"
TAKE = VERDICTS[0]


def write_verdicts(sets: Path = SETS, measured: Path = FOLDER) -> str:
    """Write `verdict.json` into a folder of tables, of the corpora whose rows have verdicts; return what was written, in words.

    Raises:
        UserError: a set lacks one of the two rows.
    """
    found = of_corpora(held_of, sets, measured)
    if not found:
        return f"verdict: a seed of {' or '.join(CORPORA.values())} is needed"
    write_json(measured / "verdict.json", found)
    return "; ".join(f"verdict on {corpus}: {_words(held)}" for corpus, held in found.items())


def held_of(name: str, of_set: ExperimentSet, lines: list[Line]) -> dict[str, Any] | None:
    """How far the verdicts of one corpus held; None without a case.

    Returns:
        seeds; cases (verdict → number); for linear and knn: held and of (cases of "take it" that were not below the baseline, and
        all of them), share, low, high (of 1; None without such a case) and difference (verdict → mean of choice − baseline on test
        images, points; None without a case); device, commit and command.

    Raises:
        UserError: the set lacks one of the two rows.
    """
    if lacking := [row for row in (CHOICE, BASELINE) if row not in [row.name for row in of_set.rows]]:
        raise UserError(f"experiments/{name}.yaml: needs a row `{lacking[0]}`, for verdict.json")
    ours, base = ({x.seed: x for x in lines if x.row == row} for row in (CHOICE, BASELINE))
    seeds = [seed for seed in sorted(ours.keys() & base.keys()) if ours[seed].verdicts]
    cases = [(seed, task, word) for seed in seeds for task, word in ours[seed].verdicts.items()]
    if not cases:
        return None
    count = Counter(word for _, _, word in cases)
    found: dict[str, Any] = {"seeds": seeds, "cases": {word: count[word] for word in VERDICTS}}
    for protocol in PROTOCOLS:
        gains: dict[str, list[float]] = {word: [] for word in VERDICTS}
        for seed, task, word in cases:
            column = f"{protocol}.{task}"
            gains[word].append(ours[seed].numbers[column] - base[seed].numbers[column])
        found[protocol] = _share([gain >= 0 for gain in gains[TAKE]])
        means = {word: round(fmean(values), 3) if values else None for word, values in gains.items()}
        found[protocol] |= {"difference": means}
    return found | origin(name, [row[seed] for row in (ours, base) for seed in seeds])


def _share(held: list[bool]) -> dict[str, Any]:
    if not held:
        return {"held": 0, "of": 0, "share": None, "low": None, "high": None}
    low, high = binomtest(sum(held), len(held)).proportion_ci(method="wilson")
    share = sum(held) / len(held)
    return {"held": sum(held), "of": len(held), **_rounded(share=share, low=low, high=high)}


def _rounded(**values: float) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in values.items()}


def _words(held: dict[str, Any]) -> str:
    scores = (f"{p} not below in {held[p]['held']} of {held[p]['of']}" for p in PROTOCOLS)
    return f"take it in {held['cases'][TAKE]} of {sum(held['cases'].values())} cases, {', '.join(scores)}"
