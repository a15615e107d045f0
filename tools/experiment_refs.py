"""Which experiments have finished and still hold: DVC keeps each as a git ref below the commit it was run from.

An experiment holds as long as running it now would compute the same: the code that its scores went through, which its own
dvc.lock names with hashes, is the code that is here, and the parameters of those stages are today's with its changes.
So a change of the report, say, takes no table with it, nor does one of a comment (tools/same_code.py).
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from sdr.experiments.sets import Experiment
from tools.git import git
from tools.same_code import same_code

CODE = ("sdr/", "stages/", "splits/")  # dependencies that are in git


def commits(wanted: Iterable[Experiment]) -> dict[str, str]:
    """Name → the commit it was run from, of those that have finished and hold; the latest one if there are several."""
    experiments, found = {e.name: e for e in wanted}, {}
    lines = git("for-each-ref", "--sort=creatordate", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    params = parse(git("show", "HEAD:params.yaml"))  # `dvc exp run --queue` changes the file itself for a moment
    for ref, sha in (line.split() for line in lines):
        *_, first, rest, name = ref.split("/")  # refs/exps/AB/CDEF…/NAME
        if name in experiments and holds(lock_of(sha), experiments[name], params, sha):
            found[name] = first + rest
    return found


def holds(lock: dict[str, Any], experiment: Experiment, params: dict[str, Any], commit: str) -> bool:
    """Whether the stages that lead to an experiment's scores would be the same now.

    Args:
        lock: the `stages` of its dvc.lock.
        experiment: what it changes.
        params: params.yaml as committed.
        commit: has the code it was run with.
    """
    if not set(experiment.targets) <= set(lock):
        return False
    needed = {name: lock[name] for name in _upstream(lock, experiment.targets)}
    code = {d["path"]: d["md5"] for s in needed.values() for d in s.get("deps", ()) if d["path"].startswith(CODE)}
    if any(md5 != _md5(path) and not same_code(path, commit) for path, md5 in code.items()):
        return False
    declared = [item for s in needed.values() for item in s.get("params", {}).get("params.yaml", {}).items()]
    now = changed(params, experiment.changes)
    return all(value(now, name) == was for name, was in declared)


def _upstream(lock: dict[str, Any], targets: Iterable[str]) -> set[str]:
    """The stages that these hang on, themselves included."""
    made = {out["path"]: name for name, stage in lock.items() for out in stage.get("outs", ())}
    found, new = set(), set(targets)
    while new:
        found |= new
        read = {dep["path"] for name in new for dep in lock[name].get("deps", ())}
        # A dependency may be a folder that many stages write into.
        new = {maker for out, maker in made.items() if any(out == p or out.startswith(f"{p}/") for p in read)} - found
    return found


def changed(params: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Parameters with changes, names with dots."""
    for name, value in changes.items():
        key, _, rest = name.partition(".")
        params = params | {key: changed(params.get(key, {}), {rest: value}) if rest else value}
    return params


def value(params: Any, name: str) -> Any:
    """The parameter of a name with dots; None if there is none."""
    for key in name.split("."):
        params = params.get(key) if isinstance(params, dict) else None
    return params


@cache
def lock_of(sha: str) -> dict[str, Any]:
    """The stages of the dvc.lock of a commit."""
    return parse(git("show", f"{sha}:dvc.lock"))["stages"]


@cache
def _md5(path: str) -> str | None:
    """As DVC has it; None if there is no such file. A folder of code is no dependency of any stage."""
    file = Path(path)
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() if file.is_file() else None


def parse(text: str) -> dict[str, Any]:
    """YAML as DVC reads it: PyYAML would take 1e-3 for a string."""
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)
