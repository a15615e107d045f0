"""Lines of a committed table whose experiments DVC no longer has here, in another clone say, but which still hold.

A line names the commit that its experiment was run from. It holds as long as the code and the parameters of the stages that
lead to its scores are today what they were there (tools/experiment_refs.py asks the same of an experiment that is here).
"""

import csv
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError
from sdr.experiments.sets import Experiment, ExperimentSet, experiment_of
from tools.experiment_refs import CODE, changed, parse, value
from tools.git import git
from tools.same_code import same_code

NEEDED = {"row", "of", "seed", "experiment", "commit"}  # columns
Lines = dict[tuple[str, int], dict[str, str]]  # row, seed → its cells


def kept_lines(found: ExperimentSet, file: Path) -> tuple[Lines, int]:
    """The lines of a set's table that hold, and how many do not.

    Raises:
        UserError: the file is something else than a table.
    """
    try:
        with file.open(newline="", encoding="utf-8") as text:
            reader = csv.DictReader(text)
            lines, missing = list(reader), NEEDED - set(reader.fieldnames or ())
    except FileNotFoundError:
        return {}, 0
    if missing:
        raise UserError(
            f"{file}: has no column {', '.join(sorted(missing))}, so which experiments its lines are of cannot be told: "
            f"restore it (git checkout {file}), or remove it and run its experiments again"
        )
    wanted = {(row.name, str(seed)): (row, seed) for row in found.rows for seed in found.seeds}
    kept: Lines = {}
    for line in lines:
        row, seed = wanted.get((line["row"], line["seed"]), (None, 0))
        if row is None or row.of != line["of"]:
            continue
        experiment = experiment_of(found, row, seed)
        if experiment.name == line["experiment"] and holds_since(line["commit"], experiment):
            kept[row.name, seed] = line
    return kept, len(lines) - len(kept)


def without_line(found: ExperimentSet, file: Path) -> set[str]:
    """Names of a set's experiments of which its table lacks a line that holds."""
    kept, _ = kept_lines(found, file)
    lines = ((row, seed) for row in found.rows for seed in found.seeds)
    return {experiment_of(found, row, seed).name for row, seed in lines if (row.name, seed) not in kept}


def holds_since(commit: str, experiment: Experiment) -> bool:
    """Whether the stages that lead to an experiment's scores are what they were at a commit."""
    try:
        then = parse(git("show", f"{commit}:params.yaml"))
    except UserError:  # a shallow clone, or another repository's commit
        return False
    now, then = (changed(params, experiment.changes) for params in (parse(git("show", "HEAD:params.yaml")), then))
    stages = list(upstream(parse(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"], experiment.targets, now))
    names = {name.partition(".${")[0] for stage in stages for name in stage.get("params", ())}
    if any(value(now, name) != value(then, name) for name in names):
        return False
    code = {path for stage in stages for path in _filled(stage["deps"], now) if path.startswith(CODE)}
    return all(same_code(path, commit) for path in sorted(code))


def upstream(stages: dict[str, dict], targets: Iterable[str], params: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The stages of dvc.yaml that these hang on, themselves included; of a `foreach` or `matrix` its template, which stands for all.

    Args:
        stages: name → as written.
        targets: stages, `NAME` or `NAME@KEY`.
        params: fill `${NAME}` where they have it.
    """
    templates = {name: stage.get("do", stage) for name, stage in stages.items()}
    made = {
        name: [out for kind in ("outs", "metrics", "plots") for out in _filled(stage.get(kind, ()), params)]
        for name, stage in templates.items()
    }
    found: set[str] = set()
    new = {target.partition("@")[0] for target in targets}
    while new:
        found |= new
        read = {dep for name in new for dep in _filled(templates[name].get("deps", ()), params)}
        new = {name for name, outs in made.items() if any(_meet(out, dep) for out in outs for dep in read)} - found
    return [templates[name] for name in sorted(found)]


def _filled(paths: Iterable[str | dict], params: dict[str, Any]) -> list[str]:
    """Paths with parameters in place, and `*` for what each stage of a template has its own of."""
    names = (next(iter(path)) if isinstance(path, dict) else path for path in paths)
    return [re.sub(r"\$\{([^}]*)\}", lambda m: str(value(params, m[1]) or "*"), name) for name in names]


def _meet(out: str, dep: str) -> bool:
    """Whether one is the other, or lies in it."""
    return all(fnmatchcase(a, b) or fnmatchcase(b, a) for a, b in zip(out.split("/"), dep.split("/")))
