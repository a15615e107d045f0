"""The pool of workers, over small programs in place of DVC."""

import os
import signal
import sys
import threading

import pytest

from sdr.base.errors import UserError
from sdr.experiments.pool import Pool, threads
from sdr.experiments.sets import Experiment

RACE = "ERROR: [Errno 2] No such file or directory: '/repo/.dvc/cache/runs/14/142f/.J-fq3cIwng9siv.tmp'"
ONE, TWO, THREE = (Experiment({"seed": seed}, ("sdr",)) for seed in range(3))


@pytest.fixture
def run(tmp_path):
    """Run programs, Python text by name, in a folder; return who finished, in order."""

    def start(programs: dict[str, str], jobs: int = 1) -> list[str]:
        os.makedirs(tmp_path / "at", exist_ok=True)
        head = f"import os, sys, pathlib; at = pathlib.Path({str(tmp_path / 'at')!r});"
        pool = Pool(jobs, lambda e: [sys.executable, "-S", "-c", head + programs[e.name]], tmp_path / "logs")
        finished: list[str] = []
        start.pool, start.finished = pool, finished
        pool.run([e for e in (ONE, TWO, THREE) if e.name in programs], lambda e: finished.append(e.name), "mine")
        return finished

    return start


def test_all_run_and_are_told(run, capsys):
    assert run({ONE.name: "", TWO.name: ""}) == [ONE.name, TWO.name]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mine: 0 of 2 finished") and lines[-1].startswith("mine: 2 of 2 finished")


def test_so_many_at_a_time(run):
    """Each waits for the other: one at a time would never end."""
    meet = "a, b = {!r}, {!r}; (at / a).touch();\nwhile not (at / b).exists(): os.sched_yield()"
    assert set(run({ONE.name: meet.format("a", "b"), TWO.name: meet.format("b", "a")}, jobs=2)) == {ONE.name, TWO.name}


def test_one_that_fails_is_told_and_the_others_finish(run, capsys):
    with pytest.raises(UserError, match=rf"1 of 3 failed \({TWO.name}\).*the same command runs them again"):
        run({ONE.name: "", TWO.name: "sys.exit('it broke')", THREE.name: ""})
    assert run.finished == [ONE.name, THREE.name]
    assert f"failed: {TWO.name}\nit broke" in capsys.readouterr().err


def test_one_whose_numbers_cannot_be_read_is_told_too(tmp_path, capsys):
    def done(experiment):
        raise UserError("no scores")

    with pytest.raises(UserError, match="1 of 1 failed"):
        Pool(1, lambda e: [sys.executable, "-S", "-c", ""], tmp_path).run([ONE], done, "mine")
    assert f"failed: {ONE.name}\nno scores" in capsys.readouterr().err


@pytest.mark.parametrize(("times", "finishes"), [(1, True), (2, False)])
def test_two_that_met_in_the_run_cache_run_once_more(run, capsys, times, finishes):
    disturbed = f"n = len(list(at.iterdir())); (at / str(n)).touch(); n < {times} and sys.exit({RACE!r})"
    if finishes:
        assert run({ONE.name: disturbed}) == [ONE.name]
    else:
        with pytest.raises(UserError, match="1 of 1 failed"):
            run({ONE.name: disturbed})
    assert f"again, two experiments met in DVC's run cache: {ONE.name}" in capsys.readouterr().err


def test_an_interrupt_reaches_what_they_started_and_nothing_more_begins(run, tmp_path):
    """A child that notes the signal, as a training that keeps a checkpoint does."""
    child = (
        "import os, signal, sys\n"
        "def end(*_): open(sys.argv[1] + '/kept', 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGINT, end); open(sys.argv[1] + '/ready', 'w').close()\n"
        "signal.pause()"
    )
    program = f"import subprocess; sys.exit(subprocess.call([sys.executable, '-S', '-c', {child!r}, str(at)]) or 1)"
    ready = tmp_path / "at/ready"

    def interrupt():
        while not ready.exists():
            os.sched_yield()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run({ONE.name: program, TWO.name: ""})
    assert (tmp_path / "at/kept").exists() and run.finished == [] and run.pool.running == {}
    assert not (tmp_path / f"logs/{TWO.name}.log").exists()


@pytest.mark.parametrize(
    ("jobs", "set_by_hand", "expected"),
    [(1, None, {}), (2, None, {"OMP_NUM_THREADS": "4"}), (2, "1", {}), (99, None, {"OMP_NUM_THREADS": "1"})],
)
def test_cores_are_shared(monkeypatch, jobs, set_by_hand, expected):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_by_hand:
        monkeypatch.setenv("OMP_NUM_THREADS", set_by_hand)
    assert threads(jobs) == expected
