"""From finished experiments to rows: DVC keeps each as a git ref below the commit that it was run from."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from sdr.base.errors import UserError
from sdr.experiments.measured import FOLDER, VERDICTS, read_cells, write_cells
from sdr.experiments.sets import OWN, ROUTED, Experiment, ExperimentSet, experiment_of
from sdr.report.files import read_json
from sdr.report.scores import PROTOCOLS, read_scores, spread, training
from sdr.route.choose import NO_EVIDENCE, SUPERNET, TAKE_IT

CODE = ("sdr", "stages", "splits", "dvc.yaml", "params.yaml")
"""What an experiment's numbers hang on, in git."""
_WORDS = dict(zip((TAKE_IT, NO_EVIDENCE, SUPERNET), VERDICTS, strict=True))


def git(*command: str) -> str:
    """Run git; return what it says.

    Raises:
        UserError: it failed.
    """
    result = subprocess.run(["git", *command], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"git {command[0]}: {result.stderr.strip()}")
    return result.stdout.rstrip()


def facts(program: str, device: str) -> dict[str, str]:
    """What a result names: the command that made it, its commit, its device."""
    command = " ".join(["python -m", f"sdr.experiments.{program}", *sys.argv[1:]])
    return {"command": command, "commit": git("rev-parse", "--short=12", "HEAD"), "device": device}


def finished(wanted: Iterable[Experiment], any_code: bool = False) -> dict[str, tuple[str, str]]:
    """Name → (commit of the code, commit of the results) of the experiments that ended with the code that is here; the latest.

    Args:
        any_code: with any code.
    """
    names, found = {experiment.name for experiment in wanted}, {}
    lines = git("for-each-ref", "--sort=creatordate", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    for ref, results in (line.split() for line in lines):
        *_, first, rest, name = ref.split("/")  # refs/exps/AB/CDEF…/NAME
        if name in names and (any_code or same_code(first + rest)):
            found[name] = (first + rest, results)
    return found


def ended(experiment: Experiment, earlier: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """What `finished` finds of an experiment that has just run, with any code.

    Args:
        earlier: what it found before.

    Raises:
        UserError: the same, so that a row would be of an earlier run.
    """
    found = finished([experiment], any_code=True)
    if found.get(experiment.name) == earlier.get(experiment.name):
        raise UserError(f"{experiment.name}: git has no result of this run yet; the same command collects it")
    return found


def same_code(commit: str) -> bool:
    """Whether code and parameters are those of a commit; False for one that is not known here."""
    command = ["git", "diff", "--quiet", commit, "HEAD", "--", *CODE]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def missing(name: str, of_set: ExperimentSet, any_code: bool = False) -> list[Experiment]:
    """The experiments of which the set's table lacks a row, in the order in which they should run.

    Args:
        any_code: rows of other code count too.
    """
    lines = read_cells(FOLDER / f"{name}.csv")
    commits = {cells["commit"] for cells in lines.values()}
    right = commits if any_code else set(filter(same_code, commits))
    there = {(*key, cells["experiment"]) for key, cells in lines.items() if cells["commit"] in right}
    wanted = [(row, seed, experiment_of(of_set, row, seed)) for row in of_set.rows for seed in of_set.seeds]
    return list({e.name: e for row, seed, e in wanted if (row.name, seed, e.name) not in there}.values())


def collect(name: str, of_set: ExperimentSet, found: dict[str, tuple[str, str]]) -> None:
    """Put the rows of these experiments, as `finished` gives them, into the set's table; the others stay.

    Raises:
        UserError: the table is broken, or an experiment lacks the scores of its row.
    """
    lines = read_cells(FOLDER / f"{name}.csv")
    for row in of_set.rows:
        for seed in of_set.seeds:
            if place := found.get(label := experiment_of(of_set, row, seed).name):
                cells = {"row": row.name, "of": row.of, "seed": seed} | measured(row.of, label, place[1])
                cells |= {"experiment": label, "commit": place[0][:12]}
                lines[row.name, seed] = {column: str(value) for column, value in cells.items()}
    order = [row.name for row in of_set.rows]
    ranked = sorted(lines, key=lambda key: (order.index(key[0]) if key[0] in order else len(order), *key))
    if found:
        write_cells(FOLDER / f"{name}.csv", [lines[key] for key in ranked])


def measured(of: str, experiment: str, results: str) -> dict[str, Any]:
    """What an experiment measured of a network, as `numbers`.

    Args:
        of: baseline, one of SDR's networks, or a name in `pruned`.
        experiment: its name.
        results: its commit.

    Raises:
        UserError: it lacks them.
    """
    with TemporaryDirectory() as folder:
        try:
            fetch(results, of, Path(folder))
            return numbers(of, Path(folder, "artifacts"))
        except (UserError, OSError) as error:
            raise UserError(
                f"experiment {experiment} has no scores of {of!r} ({error}): `dvc exp remove {experiment}`, then run it again"
            ) from None


def fetch(results: str, of: str, folder: Path) -> None:
    """Copy what `numbers` reads of an experiment, from git or from DVC's cache."""
    from dvc.api import DVCFileSystem

    there = DVCFileSystem(rev=results)
    for place in places(of):
        for file in there.find(place) if there.isdir(place) else [place]:
            if Path(file).suffix in (".json", ".csv"):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                there.get_file(file, str(folder / file))


def places(of: str) -> list[str]:
    """The files, and folders of files, that `numbers` reads."""
    trainings = sorted({"baseline", _training(of)})
    found = [f"artifacts/eval/{_folder(of)}"]
    if "adapted" in trainings:  # folders, with a training each task
        return [*found, *(f"artifacts/{place}" for place in ("timing", "adapted", "baseline/config.json"))]
    found += [f"artifacts/timing/{name}.json" for name in trainings]
    found += [f"artifacts/{name}/config.json" for name in trainings]
    return found + ["artifacts/route"] * (of == "sdr")


def numbers(of: str, artifacts: Path) -> dict[str, Any]:
    """The numbers of a row, from the artifacts of its run.

    Returns:
        linear, knn (means over tasks, %), linear.TASK, knn.TASK, verdict.TASK (of the routed choice alone: take | none | supernet),
        spread ("" where nothing was routed), images, teramacs, seconds of the training, teramacs_in_all with the baseline's, and the
        device. What is trained for each task counts as the mean of them: what one task costs.
    """
    tasks = sorted(file.stem for file in (artifacts / "eval" / _folder(of)).glob("*.json"))
    scores = read_scores(artifacts, of, tasks)
    trainings = [f"adapted/{task}" for task in tasks] if of == "adapted" else [_training(of)]
    costs, baseline = [training(artifacts, name) for name in trainings], training(artifacts, "baseline")
    cost = {name: round(fmean(one[name] for one in costs), 3) for name in costs[0]} if len(costs) > 1 else costs[0]
    cells: dict[str, Any] = {p: scores[p]["mean"] for p in PROTOCOLS}
    cells |= {f"{p}.{task}": value for p in PROTOCOLS for task, value in scores[p].items() if task != "mean"}
    if of == "sdr":
        cells |= {f"verdict.{task}": _verdict(artifacts / f"route/{task}/route.json") for task in tasks}
    cells["spread"] = spread(artifacts / "route", tasks)["mean"] if of == "sdr" else ""
    cells |= cost
    # SDR's clusters are the baseline's, and what is adapted starts as it: whoever has no baseline yet pays for it too.
    cells["teramacs_in_all"] = round(cost["teramacs"] + (0 if _training(of) == "baseline" else baseline["teramacs"]), 3)
    return cells | {"device": read_json(artifacts / f"timing/{trainings[0]}.json", ["device"])["device"]}


def _verdict(file: Path) -> str:
    said = read_json(file, ["verdict"])["verdict"]
    if said not in _WORDS:
        raise UserError(f"{file}: {said!r} is no verdict that is known")
    return _WORDS[said]


def _training(of: str) -> str:
    """What trained it; what is pruned was trained as the baseline."""
    if of == "adapted":
        return "adapted"
    return "sdrnet" if of in OWN and of != "baseline" else "baseline"


def _folder(of: str) -> str:
    return "sdr" if of in ROUTED else of
