"""`dvc repro` told in a line a stage, with DVC itself in a small repository of its own."""

import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sdr.base.run_log import StageRun
from tools.repro import Told

ROOT = Path(__file__).parents[2]
PIPELINE = """stages:
  prepare: {cmd: "cat source > data; echo prepared", deps: [source], outs: [data]}
  route: {foreach: [a, b], do: {cmd: "cat data > ${item}", deps: [data], outs: ["${item}"]}}
  report: {cmd: "cat a b > page; CODE", deps: [a, b], outs: [page]}
  elsewhere: {cmd: "echo > other", outs: [other]}
"""


def record(message, *arguments, level=logging.INFO):
    return logging.LogRecord("dvc.x", level, "", 0, message, arguments, None)


def run(stage, seconds, status="ok"):
    return StageRun(stage, datetime(2026, 3, 1, tzinfo=UTC), seconds, status)


def test_a_stage_is_a_line_with_its_number_and_the_time_that_the_rest_may_take():
    told = Told(["prepare", "pretrain", "report"], [run("prepare", 30), run("pretrain", 300), run("report", 10)])
    line = record("Running stage '%s':", "prepare")
    assert told.filter(line)
    assert line.getMessage() == "[1/3] prepare, at most about 5 min 40 s left in all"
    assert not told.filter(record("Stage '%s' didn't change, skipping", "pretrain"))
    line = record("Running stage '%s':", "report")
    assert told.filter(line) and line.getMessage() == "[3/3] report, at most about 10 s left in all"


def test_stages_that_never_ran_here_take_their_share_at_the_pace_of_those_that_did():
    slow = Told(["pretrain", "train_sdr"], [run("pretrain", 1300), run("train_sdr", 9, "failed")])
    assert slow.left["train_sdr"] == pytest.approx(10 * Told(["train_sdr"], []).left["train_sdr"])


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Updating lock file '%s'",
        "Generating lock file '%s'",
        "\nTo track the changes with git, run:",
        "\tgit add x",
    ],
)
def test_noise_is_left_out(words):
    assert not Told([], []).filter(record(words))


def test_warnings_and_errors_are_never_left_out():
    told = Told([], [])
    assert told.filter(record("", level=logging.ERROR)) and told.filter(record("Updating lock", level=logging.WARNING))


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "source").write_text("1")
    (tmp_path / "dvc.yaml").write_text(PIPELINE.replace("CODE", "true"))
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    return tmp_path


def repro(folder):
    env = os.environ | {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "tools.repro"], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )


@pytest.mark.pipeline
def test_with_dvc_itself(repository):
    found = repro(repository)
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["[1/4] prepare", "prepared"] + [
        f"[{number}/4] {stage}" for number, stage in ((2, "route@a"), (3, "route@b"), (4, "report"))
    ]
    assert not (repository / "other").exists()  # the report does not need it
    assert repro(repository).stdout == "4 stages are up to date\n"
    (repository / "dvc.yaml").write_text(PIPELINE.replace("CODE", "echo broken >&2; exit 3"))
    failed = repro(repository)
    assert failed.returncode not in (0, None)
    assert "broken" in failed.stderr and "failed to reproduce 'report'" in failed.stderr
