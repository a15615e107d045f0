"""dvc.yaml names what each stage really uses: folders of code, artifacts, parameters."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from sdr.base.params import declared
from tests.test_rooms import imports, sources

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}
PROGRAM = re.compile(r"(?:\$SDR_LAUNCH )?python -m stages\.(\w+)")
PROGRAMS = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))


@cache
def uses() -> dict[str, set[str]]:
    """Module → the modules of the project that it imports, within functions too."""
    texts = sources(ROOT)
    found: dict[str, set[str]] = {}
    for module, text in texts.items():
        named = {name for _, name in imports(text)}
        found[module] = {m for name in named for m in (name, name.rpartition(".")[0]) if m in texts}
    return found


def needed(program: str) -> set[str]:
    """The files of sdr/ that a program imports, and that these import."""
    seen, waiting = set(), [f"stages.{program}"]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += uses()[module]
    return {module.replace(".", "/") + ".py" for module in seen if module.startswith("sdr.")}


def lacking(name: str, stage: dict, program: str) -> Iterator[str]:
    """What is wrong with the code that a stage names, folders or single files, a line each."""
    code = {dep for dep in stage["deps"] if dep.startswith("sdr/")}
    imported = {file: {file, "/".join(file.split("/")[:2])} for file in needed(program)}  # either may be named
    for file in sorted(file for file, names in imported.items() if not names & code):
        yield f"stage {name} lacks {file}, which stages/{program}.py imports, if not itself"
    for dep in sorted(code.difference(*imported.values())):
        yield f"stage {name} names {dep}, which nothing that it runs imports"
    if f"stages/{program}.py" not in stage["deps"]:
        yield f"stage {name} lacks its program, stages/{program}.py"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_names_the_code_that_it_imports(name):
    program = PROGRAM.fullmatch(STAGES[name]["cmd"])[1]
    assert not (lines := list(lacking(name, STAGES[name], program))), "\n".join(lines)


def test_missing_code_is_told_and_what_nobody_needs():
    def without(name: str, dep: str) -> str:
        left = STAGES[name] | {"deps": [one for one in STAGES[name]["deps"] if one != dep]}
        return "\n".join(lacking(name, left, name))

    assert "stage cluster lacks sdr/cluster/sinkhorn.py, which stages/cluster.py imports" in without(
        "cluster", "sdr/cluster"
    )
    assert without("pretrain", "sdr/evaluate/knn.py") == (
        "stage pretrain lacks sdr/evaluate/knn.py, which stages/pretrain.py imports, if not itself"
    )
    more = STAGES["pretrain"] | {"deps": [*STAGES["pretrain"]["deps"], "sdr/evaluate/linear.py"]}
    assert list(lacking("pretrain", more, "pretrain")) == [
        "stage pretrain names sdr/evaluate/linear.py, which nothing that it runs imports"
    ]


def test_every_program_is_a_stage_and_no_command_holds_a_name():
    """The shell sees the commands: they are fixed text, whatever params.yaml holds."""
    assert sorted(PROGRAM.fullmatch(stage["cmd"])[1] for stage in STAGES.values()) == PROGRAMS


def test_training_does_not_depend_on_how_the_corpus_is_made():
    for name in ("pretrain", "extract", "cluster", "train_sdr", "calibrate", "route", "evaluate", "evaluate_routed"):
        assert not {"sdr/sources", "sdr/detect", "sdr/report"} & set(STAGES[name]["deps"]), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_artifacts_that_a_program_names_are_declared(program):
    """Whatever a program writes as "artifacts/…" is a dependency or output of (one of) its stages."""
    tree = ast.parse((ROOT / "stages" / f"{program}.py").read_text())
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    # "artifacts" alone is the report's: it reads what it declares, folder by folder.
    named = {name for name in named if name.startswith("artifacts/")}
    places = set()
    for stage in STAGES.values():
        if PROGRAM.fullmatch(stage["cmd"])[1] == program:
            outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"]]
            places |= {re.sub(r"\$\{.*", "", path) for path in [*stage["deps"], *outs]}
    for name in named:
        assert any(name.startswith(path) or path.startswith(name) for path in places), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_declared_parameters_are_those_that_the_program_loads(program):
    """One too few fails when the stage runs; one too many would run it again for nothing."""
    tree = ast.parse((ROOT / "stages" / f"{program}.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load"]
    loaded = {word.replace("__", ".") for call in calls for word in keywords(call, program)}
    for stage in STAGES.values():
        if PROGRAM.fullmatch(stage["cmd"])[1] == program:
            # A matrix cannot name the one detector of its set: such a stage declares them all.
            assert {name for name in stage.get("params", []) if "$" not in name} - {"detectors"} == loaded


def keywords(call: ast.Call, program: str) -> list[str]:
    """Names in `load(a=…, **{"b": …}, **NAMES)`; those that are made when it runs are left out."""
    names = []
    for keyword in call.keywords:
        if keyword.arg:
            names.append(keyword.arg)
        elif isinstance(keyword.value, ast.Name):
            names += getattr(importlib.import_module(f"stages.{program}"), keyword.value.id)
        else:
            names += [key.value for key in keyword.value.keys if isinstance(key, ast.Constant)]
    return names


def test_the_graph_is_one_that_dvc_takes(new_repo, tmp_path):
    """In-process, with every family of stages: each has what it declares, and the parameters that a program may read are
    those that DVC watches."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    repo = new_repo(tmp_path / "repo")
    repo.set_params(
        compare={name: {"source": "pixels"} for name in ("a-b", "c")},
        pruned={"d": {"how": "structured"}},
        networks=["baseline", "w0", "a-b", "c", "d"],
        detection_networks=["baseline", "a-b"],
        score_check={"icons": {}},
        adapt={"icons": {"images": 9, "steps": 1, "lr": 0.1}},
    )
    with Repo(repo.root) as opened:
        stages = {stage.name: stage for stage in opened.index.stages}
        opened.check_graph(opened.index.stages)
    assert {name.partition("@")[0] for name in stages} == set(STAGES)
    assert {
        "evaluate@icons-a-b",
        "finetune@demo-a-b",
        "prune@d",
        "check_scores@icons",
        "adapt@icons",
    } <= stages.keys()
    for name, stage in stages.items():
        watched = {param for dep in stage.deps if isinstance(dep, ParamsDependency) for param in dep.params}
        patterns = declared(name, PIPELINE)
        assert len(patterns) == len(watched), name
        assert all(any(re.fullmatch(pattern, param) for pattern in patterns) for param in watched), name
