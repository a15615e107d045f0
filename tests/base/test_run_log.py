"""The log of stages: one line a run whatever came of it, never in the way of the stage, readable when parts are not."""

import csv
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sdr.base.run_log import StageRun, append, log_file, read_log

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 22, 19, 40, 46, tzinfo=UTC)
HEAD = "import os, signal, time\nfrom sdr.base.errors import UserError, program\n@program\ndef main():\n    "


def run_program(scratch, body, **environment):
    environment = {"SDR_SCRATCH": str(scratch), "DVC_STAGE": "route@digits"} | environment
    environment = os.environ | {name: value for name, value in environment.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", f"{HEAD}{body}"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("body", "status", "exit_status"),
    [
        ("pass", "ok", 0),
        ("raise UserError('a: bad')", "failed", 1),
        ("raise ValueError('ours')", "failed", 1),
        ("os.kill(os.getpid(), signal.SIGTERM)", "interrupted", 1),
        ("raise SystemExit(0)", "ok", 0),
        ("raise SystemExit('error: process 1 of 2 ended')", "failed", 1),
    ],
)
def test_every_end_is_a_line(tmp_path, body, status, exit_status):
    before = datetime.now(UTC) - timedelta(seconds=1)  # starts are written in whole seconds
    done = run_program(tmp_path, f"{body}\ntime.sleep(0.3)\nmain()")
    assert done.returncode == exit_status
    assert ("Traceback" in done.stderr) == ("ValueError" in body)
    with (tmp_path / "runs.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["stage"], row["status"]) == ("route@digits", status)
    assert before <= datetime.strptime(row["started"], "%Y-%m-%dT%H:%M:%S%z") <= datetime.now(UTC)
    assert 0.3 <= float(row["seconds"]) <= 600  # what comes before `main` counts: imports take seconds


@pytest.mark.parametrize("environment", [{"DVC_STAGE": None}, {"RANK": "1"}])
def test_only_stages_and_only_the_first_process_log(tmp_path, environment):
    assert run_program(tmp_path, "pass\nmain()", **environment).returncode == 0
    assert not (tmp_path / "runs.csv").exists()


def test_the_first_of_several_processes_logs(tmp_path):
    run_program(tmp_path, "pass\nmain()", RANK="0")
    assert [run.stage for run in read_log(tmp_path / "runs.csv")] == ["route@digits"]


def test_what_cannot_be_logged_does_not_hide_how_the_stage_ended(tmp_path):
    (tmp_path / "file").write_text("")
    done = run_program(tmp_path / "file", "pass\nmain()")
    assert (done.returncode, done.stderr) == (0, "")
    done = run_program(tmp_path / "file", "raise UserError('a: bad')\nmain()")
    assert (done.returncode, done.stderr) == (1, "error: a: bad\n")


def test_the_clock_starts_before_anything_slow():
    slow = (
        "import sys, stages; print('sdr.base.run_log' in sys.modules, 'numpy' in sys.modules or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", slow], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "True False\n"


def test_where_the_log_is(monkeypatch):
    assert log_file() == Path(".scratch/runs.csv")
    monkeypatch.setenv("DVC_ROOT", "/repository")
    assert log_file() == Path("/repository/.scratch/runs.csv")
    monkeypatch.setenv("SDR_SCRATCH", "/fast")
    assert log_file() == Path("/fast/runs.csv")


def test_what_is_written_is_read_back_in_order(tmp_path):
    runs = [StageRun(f"route@{i}", START + timedelta(seconds=i), 12.3 + i, "ok") for i in range(5)]
    for run in runs:
        append(tmp_path / "deep/runs.csv", run)
    assert read_log(tmp_path / "deep/runs.csv") == runs
    assert (tmp_path / "deep/runs.csv").read_text().count("started") == 1


def test_no_file_is_an_empty_log(tmp_path):
    assert read_log(tmp_path / "runs.csv") == []


def test_lines_of_runs_that_end_together_do_not_mix(tmp_path):
    file = tmp_path / "runs.csv"
    runs = [StageRun(f"linear_sdr@{'long-name-' * 20}{i}", START, 1.0, "ok") for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: append(file, run), runs))
    assert {run.stage for run in read_log(file)} == {run.stage for run in runs}


@pytest.mark.parametrize(
    "garbled",
    [
        b"pretrain,2026-11-",
        b"stage,started,seconds,status",
        b"",
        b"\x00\x00\xff\xfe",
        b"pretrain,2026-11-22T19:40:46Z,1.0",
        b"pretrain,2026-11-22T19:40:46Z,1.0,ok,more",
        b"pretrain,2026-11-22T19:40:46,1.0,ok",
        b"pretrain,2026-13-22T19:40:46Z,1.0,ok",
        b"pretrain,2026-11-22T19:40:46Z,nan,ok",
        b"pretrain,2026-11-22T19:40:46Z,-1.0,ok",
        b"pretrain,2026-11-22T19:40:46Z,1.0,perhaps",
    ],
)
def test_a_garbled_line_costs_that_line_alone(tmp_path, garbled):
    whole = b"prepare,2026-11-22T19:40:46Z,31.2,ok\n", b"extract,2026-11-22T19:45:46Z,9.3,failed\n"
    (tmp_path / "runs.csv").write_bytes(whole[0] + garbled + b"\n" + whole[1])
    assert read_log(tmp_path / "runs.csv") == [
        StageRun("prepare", START, 31.2, "ok"),
        StageRun("extract", START + timedelta(minutes=5), 9.3, "failed"),
    ]
