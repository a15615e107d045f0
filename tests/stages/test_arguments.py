"""Every stage started by hand with a wrong argument, or without the one it needs, says so in one line."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.program import run

STAGES = Path(__file__).parents[2] / "stages"
ENTRIES = {  # stage → arguments that it needs
    **dict.fromkeys(("manifest", "prepare_task", "route", "evaluate_routed"), ("digits",)),
    **dict.fromkeys(("manifest_detection", "prepare_detection", "route_detection", "finetune_routed"), ("demo",)),
    "check_scores": ("digits",),
    "adapt": ("digits",),
    "evaluate_adapted": ("digits",),
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
