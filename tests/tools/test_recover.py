"""Kills in the windows in which DVC writes its own two files: cut at any byte, they are mended before a run."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sdr.base.errors import UserError, program
from sdr.base.lock_copy import copy_of, save
from tools import recover

LOCK = """schema: '2.0'
stages:
  one:
    cmd: echo one > a
    deps:
    - path: source
      hash: md5
      md5: 7215ee9c7d9dc229d2921a40e899ec5f
      size: 2
    params:
      params.yaml:
        seed: 0
    outs:
    - path: a
      hash: md5
      md5: 5bbf5a52328e7439ae6e719dfe712200
      size: 4
"""
RWLOCK = json.dumps(
    {"write": {"/x/a": {"pid": 4194305, "cmd": "dvc repro"}}, "read": {"/x/source": [{"pid": 4194305, "cmd": "x"}]}}
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    root = tmp_path / "repo"
    (root / ".dvc/tmp").mkdir(parents=True)
    return root


def cuts(text: str) -> list[int]:
    return sorted({0, 1, len(text) - 1, *random.Random(0).sample(range(len(text)), min(60, len(text)))})


def test_a_lock_cut_anywhere_is_put_back_or_a_whole_older_one(root):
    (root / "dvc.lock").write_text(LOCK)
    assert recover.mend_lock(root) == []
    put_back = 0
    for length in cuts(LOCK):
        (root / "dvc.lock").write_text(LOCK[:length])
        said = recover.mend_lock(root)
        now = (root / "dvc.lock").read_text()
        if said:
            put_back += 1
            assert now == LOCK and said[0].endswith("is put back")
        else:  # ends with a whole line: what it lacks is not up to date
            assert now == LOCK[:length] and LOCK[:length].endswith("\n")
            shutil.copy(copy_of(root), root / "dvc.lock")
        (root / "dvc.lock").write_text(LOCK)
        save(root)
    assert put_back > 20


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 500, b"\xff\xfe", b"schema: '2.0'\nstages: 3\n", b"[1]\n", b"{\n", b"null\n"]
)
def test_whatever_is_no_lock_is_replaced(root, content):
    (root / "dvc.lock").write_text(LOCK)
    recover.mend_lock(root)
    (root / "dvc.lock").write_bytes(content)
    assert len(recover.mend_lock(root)) == 1 and (root / "dvc.lock").read_text() == LOCK


def test_without_a_whole_copy_a_broken_lock_is_removed(root):
    for kept in (None, b"", LOCK[:50].encode()):
        (root / "dvc.lock").write_text(LOCK[:-10])
        if kept is not None:
            copy_of(root).parent.mkdir(parents=True, exist_ok=True)
            copy_of(root).write_bytes(kept)
        assert "the run cache restores" in recover.mend_lock(root)[0] and not (root / "dvc.lock").exists()
    assert recover.mend_lock(root) == []


def test_each_stage_keeps_a_copy_of_its_own_work_tree(root, monkeypatch, tmp_path):
    (root / "dvc.lock").write_text(LOCK)
    stage = program(lambda: None)
    stage()  # not under DVC
    assert not copy_of(root).exists()
    monkeypatch.setenv("DVC_ROOT", str(root))
    stage()
    assert copy_of(root).read_text() == LOCK
    (root / "dvc.lock").write_text("")
    stage()
    assert copy_of(root).read_text() == LOCK
    other = tmp_path / "other"
    other.mkdir()
    (other / "dvc.lock").write_text(LOCK.replace("one", "two"))
    monkeypatch.setenv("DVC_ROOT", str(other))
    stage()
    assert copy_of(root).read_text() == LOCK != copy_of(other).read_text()


def test_an_rwlock_cut_anywhere_is_removed(root):
    path = root / ".dvc/tmp/rwlock"
    for length in cuts(RWLOCK):
        path.write_text(RWLOCK[:length])
        said = recover.mend_rwlock(root)
        assert len(said) == 1 and "removed" in said[0] and not path.exists()
    for content in (b"\0" * 9, b"\xff", b"[]", b'{"write": 3}', b'{"read": {"x": [{"pid": "x", "cmd": "y"}]}}'):
        path.write_bytes(content)
        assert len(recover.mend_rwlock(root)) == 1 and not path.exists()


def test_a_sound_rwlock_or_none_is_left_alone(root):
    assert recover.mend_rwlock(root) == []
    for content in (RWLOCK, "{}"):
        (root / ".dvc/tmp/rwlock").write_text(content)
        assert recover.mend_rwlock(root) == [] and (root / ".dvc/tmp/rwlock").read_text() == content


def test_a_broken_rwlock_stays_while_dvc_is_at_work(root):
    (root / ".dvc/tmp/rwlock").write_text("")
    (root / "dvc").write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")  # a process of that name
    with subprocess.Popen([sys.executable, "dvc", "repro"], cwd=root, stdout=-1) as process:
        process.stdout.readline()
        try:
            with pytest.raises(UserError, match=f"process {process.pid} of DVC is at work here"):
                recover.mend_rwlock(root)
            assert (root / ".dvc/tmp/rwlock").exists()
        finally:
            process.kill()
    assert len(recover.mend_rwlock(root)) == 1


@pytest.mark.pipeline
def test_after_a_real_kill_in_both_windows_dvc_goes_on(tmp_path, monkeypatch):
    """DVC kills itself while it writes: the n-th time it opens one of its two files for writing, it is cut there."""
    root = tmp_path / "repo"
    root.mkdir()
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.chdir(root)
    dvc = [sys.executable, "-m", "dvc"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "DVC_NO_ANALYTICS": "1"}
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([*dvc, "init", "-q"], check=True, env=environment)
    (root / "source").write_text("1\n")
    stages = {n: {"cmd": f"cat source > {n}", "deps": ["source"], "outs": [n]} for n in ("a", "b", "c")}
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    for name, times in (("dvc.lock", 2), ("rwlock", 3), ("rwlock", 4)):
        (root / "source").write_text(f"{name} {times}\n")
        killed = subprocess.run([*dvc, "repro", "-q"], env=environment | {"CUT": f"{name} {times}"})
        assert killed.returncode == -signal.SIGKILL
        assert not (Path(".dvc/tmp/rwlock") if name == "rwlock" else Path(name)).read_bytes()
        said = [*recover.mend_rwlock(Path(".")), *recover.mend_lock(Path("."))]
        assert len(said) == 1
        subprocess.run([*dvc, "repro", "-q"], check=True, env=environment)
        status = subprocess.run([*dvc, "status"], env=environment, capture_output=True, text=True, check=True).stdout
        assert "up to date" in status
        assert {Path(name).read_text() for name in stages} == {(root / "source").read_text()}


KILLER = """
import builtins, io, os, signal
name, _, times = os.environ.get("CUT", "").partition(" ")
opened = 0
real = io.open

def cutting(file, mode="r", *args, **more):
    global opened
    made = real(file, mode, *args, **more)
    if name and "w" in mode and os.path.basename(os.fspath(file) if not isinstance(file, int) else "") == name:
        opened += 1
        if opened == int(times):
            os.kill(os.getpid(), signal.SIGKILL)
    return made

builtins.open = io.open = cutting
"""
