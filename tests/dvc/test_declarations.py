"""dvc.yaml names what each stage really reads."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from tools.stage_deps import PROGRAM, stages

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
PROGRAMS = sorted({PROGRAM.search(stage.get("do", stage)["cmd"])[1] for stage in PIPELINE["stages"].values()})


NEEDED = {name: (stage, needed) for name, stage, needed in stages(PIPELINE, ROOT)}


@pytest.mark.parametrize("name", NEEDED)
def test_declared_source_files_are_the_import_closure(name):
    stage, needed = NEEDED[name]
    declared = [dep for dep in stage["deps"] if dep.startswith(("sdr/", "stages/"))]
    assert sorted(declared) == needed, "run `python -m tools.stage_deps --write`"


def test_every_program_is_a_stage():
    assert PROGRAMS == sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_artifacts_that_a_program_names_are_declared(program):
    """Whatever a program writes as "artifacts/…" is a dependency or output of (one of) its stages."""
    tree = ast.parse((ROOT / "stages" / f"{program}.py").read_text())
    named = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    # "artifacts" alone is the report's: it reads what it declares, folder by folder.
    named = {name for name in named if name.startswith("artifacts/")}
    declared = set()
    for stage in PIPELINE["stages"].values():
        stage = stage.get("do", stage)
        if PROGRAM.search(stage["cmd"])[1] == program:
            declared |= {re.sub(r"\$\{.*", "", path) for path in [*stage["deps"], *map(str, stage["outs"])]}
    for name in named:
        assert any(name.startswith(path) or path.startswith(name) for path in declared), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_declared_parameters_are_those_that_the_program_loads(program):
    """One too few fails when the stage runs; one too many would run it again for nothing."""
    tree = ast.parse((ROOT / "stages" / f"{program}.py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load"
    ]
    loaded = {re.sub("__", ".", word) for call in calls for word in literal_keywords(call)}
    for stage in PIPELINE["stages"].values():
        stage = stage.get("do", stage)
        if PROGRAM.search(stage["cmd"])[1] == program:
            # A matrix cannot name the one detector of its set: such a stage declares them all.
            assert {name for name in stage["params"] if "$" not in name} - {"detectors"} == loaded


def literal_keywords(call: ast.Call) -> list[str]:
    """Names in `load(a=…, **{"b": …})`."""
    names = [keyword.arg for keyword in call.keywords if keyword.arg]
    inner = [key for keyword in call.keywords if not keyword.arg for key in keyword.value.keys]
    return names + [key.value for key in inner if isinstance(key, ast.Constant)]
