"""The stage `report`, run as DVC runs it: its outputs appear, or one clear line says why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import report
from tests.report.conftest import write_artifacts, write_log
from tests.stages.program import run

ROOT = Path(__file__).parents[2]
REST = """
score_check: {}
adapt: {}
networks: [baseline, w0]
detection: {}
detection_networks: []
"""


def write_params(folder, tasks, n_subnets):
    listed = "".join(f"\n  {task}: {{source: builtin}}" for task in tasks) or " {}"
    (folder / "params.yaml").write_text(f"{REST}n_subnets: {n_subnets}\nseed: 3\ntasks:{listed}\n")


def test_outputs_appear(tmp_path):
    tasks = ["letters", "kinds"]
    artifacts = write_artifacts(tmp_path, tasks, 3)
    write_log(tmp_path / ".scratch/runs.csv")
    write_params(tmp_path, tasks, 3)
    done = subprocess.run(
        [sys.executable, "-m", "stages.report"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads((tmp_path / "metrics/summary.json").read_text())
    assert set(summary) == {"base", "sdr", "gain"}
    of_tasks = json.loads((tmp_path / "metrics/tasks.json").read_text())
    assert list(of_tasks) == tasks
    for task in tasks:
        scores = json.loads((artifacts / f"eval/sdr/{task}.json").read_text())["networks"]["sdr"]
        assert of_tasks[task] == round(scores["linear"], 2)
        assert task in (tmp_path / "report/summary.md").read_text()
    assert "report/index.html" in done.stdout
    assert (tmp_path / "report/index.html").stat().st_size > 10_000
    assert (tmp_path / "report/figures/cost.png").exists()
    assert "2026-03-02 09:00:00" in (tmp_path / "report/index.html").read_text()  # when train_sdr ran


def test_one_subnet_and_no_task(tmp_path, monkeypatch):
    write_artifacts(tmp_path, [], 1)
    write_params(tmp_path, [], 1)
    monkeypatch.chdir(tmp_path)
    run(report, monkeypatch)
    assert json.loads((tmp_path / "metrics/summary.json").read_text()) == {}
    page = (tmp_path / "report/index.html").read_text()
    assert "One sub-net is the baseline itself" in page and "No stage is known to have run here" in page
    assert '<td class="number" data-value="256">' in page  # what 256 sub-nets would cost


def test_a_stale_task_ends_in_one_line_and_leaves_the_last_report(tmp_path, monkeypatch):
    write_artifacts(tmp_path, ["kinds", "letters"], 2)
    write_params(tmp_path, ["kinds"], 2)
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text("the last one")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(report, monkeypatch)
    message = str(ended.value)
    assert message.startswith("error: artifacts/") and "\n" not in message
    assert "letters" in message and "python -m tools.prune" in message
    assert (tmp_path / "report/index.html").read_text() == "the last one"
    assert not (tmp_path / "metrics").exists()
