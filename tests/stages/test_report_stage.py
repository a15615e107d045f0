"""The stage `report`, run as DVC runs it: its outputs appear, or one clear line says why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.conftest import write_artifacts

ROOT = Path(__file__).parents[2]
REST = "score_check: {}\ncompare: {}\ndetection: {}\ndetection_compare: []\n"


def run_stage(folder, tasks, n_subnets):
    listed = "".join(f"\n  {task}: {{source: builtin}}" for task in tasks) or " {}"
    (folder / "params.yaml").write_text(f"{REST}n_subnets: {n_subnets}\nseed: 3\ntasks:{listed}\n")
    environment = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    return subprocess.run(
        [sys.executable, "-m", "stages.report"], cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("tasks", "n_subnets"), [(["letters", "kinds"], 3), ([], 1)])
def test_outputs_appear(tmp_path, tasks, n_subnets):
    artifacts = write_artifacts(tmp_path, tasks, n_subnets)
    done = run_stage(tmp_path, tasks, n_subnets)
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads((tmp_path / "metrics/summary.json").read_text())
    assert list(summary) == ([*tasks, "mean"] if tasks else [])
    for task in tasks:
        scores = json.loads((artifacts / f"eval/sdr/{task}.json").read_text())["networks"]["sdr"]
        assert summary[task]["linear"]["sdr"] == round(scores["linear"], 2)
        assert summary[task]["knn"]["sdr"] == round(scores["knn"], 2)
        assert task in (tmp_path / "report/summary.md").read_text()
    assert "report/index.html" in done.stdout
    assert (tmp_path / "report/index.html").stat().st_size > 10_000
    assert list((tmp_path / "report/figures").glob("*.png"))


def test_a_stale_task_ends_in_one_line_and_leaves_the_last_report(tmp_path):
    write_artifacts(tmp_path, ["kinds", "letters"], 2)
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text("the last one")
    done = run_stage(tmp_path, ["kinds"], 2)
    assert done.returncode == 1
    assert done.stderr.startswith("error: artifacts/") and done.stderr.count("\n") == 1
    assert "letters" in done.stderr and "python -m tools.prune" in done.stderr
    assert (tmp_path / "report/index.html").read_text() == "the last one"
    assert not (tmp_path / "metrics").exists()
