"""Collect finished experiments into metrics/experiments/SET.csv, a line a row and seed.

    python -m tools.tables [SET …]       or: make tables

Scores come from `dvc exp show --json`. A line that the table has already stays while it holds (tools/kept_lines.py), whether or not its
experiment is here. A set of which nothing has finished is left as it is.
"""

import json
import sys
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError, program
from sdr.base.outputs import write_csv
from sdr.experiments.measured import FOLDER
from sdr.experiments.sets import OWN, ExperimentSet, Row, experiment_of, experiments, read_set, set_names
from sdr.report.scores import PROTOCOLS
from tools.experiment_refs import commits
from tools.experiments import dvc
from tools.kept_lines import Lines, kept_lines


@program
def main(sets: list[str]) -> None:
    chosen = {name: read_set(name) for name in sets or set_names()}
    where = commits(e for found in chosen.values() for e in experiments(found))
    shown = {commit: show(commit) for commit in set(where.values())}
    held = False
    for name, found in chosen.items():
        kept, stale = kept_lines(found, FOLDER / f"{name}.csv")
        lines = list(table(found, where, shown, kept))
        said = f"{name}: {len(lines)} of {len(found.rows) * len(found.seeds)} lines"
        if stale:
            said += f"; {stale} of other code, parameters or rows are left out"
        print(said if lines else f"{name}: no line; nothing written")
        if lines:
            write_csv(FOLDER / f"{name}.csv", lines)
            held = True
    if not held:
        raise UserError("no experiment has finished for this code and these parameters: make experiments SET=NAME")


def table(found: ExperimentSet, where: dict[str, str], shown: dict[str, dict], kept: Lines):
    """The lines of a set whose experiments have finished, or that are kept."""
    for row in found.rows:
        for seed in found.seeds:
            name = experiment_of(found, row, seed).name
            if name in where:
                yield line(row, seed, name, where[name], shown[where[name]][name])
            elif (row.name, seed) in kept:
                yield kept[row.name, seed]


def line(row: Row, seed: int, name: str, commit: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """One line: whose scores, means and tasks in per cent, and what the training took.

    Args:
        metrics: name of the file below artifacts/scores → its content.

    Raises:
        UserError: the experiment lacks the row's network.
    """
    file = "baseline" if row.of == "baseline" else "sdr" if row.of in OWN else row.of
    try:
        scores = metrics[file][row.of]
    except KeyError:
        raise UserError(
            f"experiment {name} has no scores of {row.of!r}: `dvc exp remove {name}`, then run it again"
        ) from None
    baseline = metrics["baseline"]["training"]
    training = metrics["sdr"]["training"] if file == "sdr" else baseline
    cells = {"row": row.name, "of": row.of, "seed": seed}
    cells |= {protocol: scores[protocol]["mean"] for protocol in PROTOCOLS}
    cells |= {f"{p}.{task}": value for p in PROTOCOLS for task, value in scores[p].items() if task != "mean"}
    cells["spread"] = metrics["sdr"]["spread"]["mean"] if row.of == "sdr" else ""
    cells |= {key: training[key] for key in ("images", "teramacs", "seconds")}
    # SDR's clusters are the baseline's: whoever has no baseline yet pays for it too.
    cells["teramacs_in_all"] = round(training["teramacs"] + (baseline["teramacs"] if file == "sdr" else 0), 3)
    return cells | {"experiment": name, "commit": commit[:12]}


def show(commit: str) -> dict[str, dict[str, Any]]:
    """Experiment → file below artifacts/scores → content, of the experiments of a commit."""
    found = {}
    for revision in json.loads(dvc("exp", "show", "--json", "--rev", commit)):
        for experiment in revision.get("experiments") or []:
            files = ((experiment["revs"][0].get("data") or {}).get("metrics")) or {}
            found[experiment["name"]] = {
                Path(file).stem: content["data"]
                for file, content in files.items()
                if Path(file).parent.name == "scores" and "data" in content
            }
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
