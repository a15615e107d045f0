"""Every stage started by hand with a wrong argument, or without the one it needs, says so in one line; names stay names."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from sdr.base.errors import UserError
from sdr.base.names import LONGEST, ambiguous, check_name, entries, entry, split_key
from tests.stages.program import run

STAGES = Path(__file__).parents[2] / "stages"
ENTRIES = {  # stage → arguments that it needs
    **dict.fromkeys(("manifest", "prepare_task", "route", "evaluate_routed"), ("digits",)),
    **dict.fromkeys(("manifest_detection", "prepare_detection", "route_detection", "finetune_routed"), ("demo",)),
    "check_scores": ("digits",),
    "backbone": ("random",),
    "prune": ("thin",),
    "evaluate": ("digits", "w0"),
    "finetune": ("demo", "baseline"),
}
PARAMS = """
tasks: {digits: {source: builtin, metric: top1}}
score_check: {digits: {}}
adapt: {digits: {}}
compare: {random: {source: random}}
pruned: {thin: {how: structured}}
networks: [baseline, w0]
detection: {demo: {source: scenes, detector: tiny}}
detection_networks: [baseline]
"""
NASTY = [
    "$(touch X)",
    "a;touch X",
    "`touch X`",
    "../digits",
    "-digits",
    "digits\n",
    "\x1b[2J",
    "a b",
    "a" * (LONGEST + 1),
    "",
]


@pytest.fixture
def say(tmp_path, monkeypatch):
    """Start a stage's program; return its message, after seeing that it wrote nothing."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)

    def start(name: str, *arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            run(importlib.import_module(f"stages.{name}"), monkeypatch, *arguments)
        assert left.value.code.startswith("error: ") and len(left.value.code.splitlines()) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
        return left.value.code

    return start


@pytest.mark.parametrize("name", sorted(path.stem for path in STAGES.glob("[a-z]*.py")))
def test_wrong_arguments_are_told_in_one_line(say, name):
    needed = ENTRIES.get(name, ())
    for wrong in ((*needed, "more"), needed[:-1] if needed else ("more",)):
        assert "usage: python -m " in say(name, *wrong)
    for i in range(len(needed)):
        assert "`nobody` is not in `" in say(name, *needed[:i], "nobody", *needed[i + 1 :])


@pytest.mark.parametrize("text", NASTY)
def test_a_name_is_a_name(text, monkeypatch, tmp_path):
    with pytest.raises(UserError) as told:
        check_name("tasks", text)
    assert str(told.value).isprintable()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setenv("DVC_STAGE", f"route@{text}")
    with pytest.raises(UserError):
        entry("tasks")


def test_a_stage_reads_its_names_from_dvc(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("tasks: {a: {}, a-b: {}}\nnetworks: [b-c, d]\n")
    monkeypatch.setattr(sys, "argv", ["stage"])
    for stage, names in {
        "evaluate@a-b-d": ("a-b", "d"),
        "evaluate@a-d": ("a", "d"),
        "evaluate@a-b-c": ("a", "b-c"),
    }.items():
        monkeypatch.setenv("DVC_STAGE", stage)
        assert entries("tasks", "networks") == names
    monkeypatch.setenv("DVC_STAGE", "route@a-b")
    assert entry("tasks") == "a-b"
    monkeypatch.setattr(sys, "argv", ["stage", "a"])  # by hand
    assert entry("tasks") == "a"


def test_a_key_of_two_readings_names_both():
    known = {"tasks": ["a", "a-b"], "networks": ["b-c", "c"]}
    says = "`a-b-c` can be read as `a` with `b-c` and `a-b` with `c`"
    with pytest.raises(UserError, match=says):
        split_key("a-b-c", known)
    assert says in ambiguous("tasks", "networks", known)[0]
    assert ambiguous("tasks", "networks", {"tasks": ["a", "b"], "networks": ["c"]}) == []


@pytest.mark.parametrize(
    ("change", "says"), [("n_subnets: 300", "n_subnets is 300"), ("n_subnet: 3", "is `n_subnets` meant")]
)
def test_the_first_stage_checks_all_parameters(tmp_path, change, says):
    """As DVC starts it: whatever its own parameters are."""
    root = STAGES.parent
    text = "".join(line for line in (root / "params.yaml").open() if not line.startswith("n_subnets:"))
    (tmp_path / "params.yaml").write_text(f"{text}\n{change}\n")
    (tmp_path / "dvc.yaml").write_text((root / "dvc.yaml").read_text())
    env = {"PYTHONPATH": str(root), "DVC_STAGE": "manifest_corpus", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "stages.manifest_corpus"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "artifacts").exists() and not (tmp_path / ".scratch").exists()
