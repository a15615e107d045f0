"""dvc.yaml names what each stage really reads."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from sdr.base.params import declared_names
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
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    # "artifacts" alone is the report's: it reads what it declares, folder by folder.
    named = {name for name in named if name.startswith("artifacts/")}
    declared = set()
    for stage in PIPELINE["stages"].values():
        stage = stage.get("do", stage)
        if PROGRAM.search(stage["cmd"])[1] == program:
            declared |= {
                re.sub(r"\$\{.*", "", path)
                for path in [*stage["deps"], *map(str, [*stage.get("outs", []), *stage.get("metrics", [])])]
            }
    for name in named:
        assert any(name.startswith(path) or path.startswith(name) for path in declared), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_declared_parameters_are_those_that_the_program_loads(program):
    """One too few fails when the stage runs; one too many would run it again for nothing."""
    tree = ast.parse((ROOT / "stages" / f"{program}.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load"]
    loaded = {re.sub("__", ".", word) for call in calls for word in literal_keywords(call)}
    for stage in PIPELINE["stages"].values():
        stage = stage.get("do", stage)
        if PROGRAM.search(stage["cmd"])[1] == program:
            # A matrix cannot name the one detector of its set: such a stage declares them all.
            assert {name for name in stage.get("params", []) if "$" not in name} - {"detectors"} == loaded


def literal_keywords(call: ast.Call) -> list[str]:
    """Names in `load(a=…, **{"b": …})`."""
    names = [keyword.arg for keyword in call.keywords if keyword.arg]
    inner = [key for keyword in call.keywords if not keyword.arg for key in keyword.value.keys]
    return names + [key.value for key in inner if isinstance(key, ast.Constant)]


def test_parameters_are_found_as_dvc_finds_them(new_repo, tmp_path):
    """Every kind of stage: plain, `foreach`, `matrix`, and an entry that a template names."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    repo = new_repo(tmp_path / "repo")
    compare = {name: {"source": "pixels"} for name in ("a-b", "c")}
    repo.set_params(compare=compare, detection_compare=["a-b", "c"], pruned={"d": {"how": "structured"}})
    params = repo.params
    with Repo(repo.root) as opened:
        for stage in opened.index.stages:
            wanted = {name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params}
            found = declared_names(stage.name, PIPELINE, params)
            assert len(found) == len(set(found)) and set(found) == wanted, stage.addressing
    assert declared_names("finetune_compare@demo-a-b", PIPELINE, params)[1] == "detection.demo"
    assert declared_names("finetune_sdr@demo", PIPELINE, params)[2] == "detectors.tiny"
