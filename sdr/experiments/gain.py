"""What SDR gains at equal compute, on each corpus: the routed choice minus a baseline that had as many multiply-adds in all.

Paired over seeds, mean and 95 % interval (`paired`), as `metrics/experiments/gain.json`. A corpus has a set of experiments, whose reference
is the baseline trained on, and whose row `CHOICE` is the routed choice.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from sdr.base.errors import UserError
from sdr.base.outputs import write_json
from sdr.experiments.measured import FOLDER, Line, read_lines
from sdr.experiments.paired import difference
from sdr.experiments.sets import FOLDER as SETS
from sdr.experiments.sets import ExperimentSet, read_set, set_names
from sdr.report.scores import PROTOCOLS

CORPORA = {"builtin": "gain", "mixed": "gain_mixed"}
"""Corpus → its set."""
CHOICE = "routed choice"
_MORE = 0.01  # share of its multiply-adds that the choice may have had more than the reference: epochs have few digits


def write_gain(sets: Path = SETS, measured: Path = FOLDER) -> str:
    """Write `gain.json` into a folder of tables, of the corpora that have two seeds or more; return what was written, in words.

    Raises:
        UserError: a set lacks the row, or its rows did not cost the same.
    """
    found = of_corpora(gain_of, sets, measured)
    if not found:
        return f"gain: two seeds of {' or '.join(CORPORA.values())} are needed"
    write_json(measured / "gain.json", found)
    return "; ".join(f"gain on {corpus}: {_words(gain)}" for corpus, gain in found.items())


def of_corpora(
    find: Callable[[str, ExperimentSet, list[Line]], dict | None], sets: Path, measured: Path
) -> dict[str, dict]:
    """Corpus → what `find` says of its set's name, set and rows, where it says anything."""
    there = {corpus: name for corpus, name in CORPORA.items() if name in set_names(sets)}
    said = {c: find(name, read_set(name, sets), read_lines(measured / f"{name}.csv")) for c, name in there.items()}
    return {corpus: found for corpus, found in said.items() if found is not None}


def origin(name: str, rows: list[Line]) -> dict[str, str]:
    """What a result of a set's rows names: device, commit, command."""
    named = {what: ", ".join(sorted({getattr(row, what) for row in rows})) for what in ("device", "commit")}
    return named | {"command": f"make experiments SET={name} && make tables"}


def gain_of(name: str, of_set: ExperimentSet, lines: list[Line]) -> dict[str, Any] | None:
    """The gain of one corpus: seeds, linear and knn with mean, low, high (points), commit and command; None with less than two seeds.

    Raises:
        UserError: the set lacks the row, or the choice had more multiply-adds than the reference.
    """
    if CHOICE not in (row.name for row in of_set.rows) or of_set.reference == CHOICE:
        raise UserError(f"experiments/{name}.yaml: needs a row `{CHOICE}` beside its reference, for gain.json")
    ours, reference = ({x.seed: x for x in lines if x.row == row} for row in (CHOICE, of_set.reference))
    seeds = sorted(ours.keys() & reference.keys())
    if len(seeds) < 2:
        return None
    spent, allowed = (fmean(row[seed].numbers["teramacs_in_all"] for seed in seeds) for row in (ours, reference))
    if spent > allowed * (1 + _MORE):
        raise UserError(
            f"{name}: `{CHOICE}` took {spent:.3f} · 10¹² multiply-adds in all, `{of_set.reference}` {allowed:.3f}: "
            f"train the reference longer (experiments/{name}.yaml)"
        )
    gain: dict[str, Any] = {"seeds": seeds}
    for protocol in PROTOCOLS:
        values = ({seed: row[seed].numbers[protocol] for seed in seeds} for row in (ours, reference))
        found = difference(*values)
        low, high = found.interval or (found.sample.mean, found.sample.mean)  # the same difference with every seed
        gain[protocol] = {"mean": round(found.sample.mean, 3), "low": round(low, 3), "high": round(high, 3)}
    gain["teramacs"] = {"choice": round(spent, 3), "reference": round(allowed, 3)}
    return gain | origin(name, [row[seed] for row in (ours, reference) for seed in seeds])


def _words(gain: dict[str, Any]) -> str:
    scores = (f"{p} {gain[p]['mean']:+.2f} ({gain[p]['low']:+.2f} to {gain[p]['high']:+.2f})" for p in PROTOCOLS)
    return f"{', '.join(scores)}, {len(gain['seeds'])} seeds"
