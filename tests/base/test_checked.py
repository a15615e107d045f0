"""Parameters that were found right are not checked again, until they or the code that checks them change."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdr.base import checked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copytree(ROOT / "sdr/base", tmp_path / "sdr/base")
    monkeypatch.setattr(checked, "_ROOT", tmp_path)
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    return tmp_path


def test_it_is_known_until_anything_changes(folder):
    found = checked.key()
    assert not checked.is_known(found)
    checked.keep(found)
    assert checked.is_known(checked.key())
    for name in ("params.yaml", "sdr/base/names.py", "sdr/base/new.py", "tools/rules.py"):
        with (folder / name).open("a") as file:
            file.write("\n# more\n")
        assert not checked.is_known(checked.key()), name
        checked.keep(checked.key())
    (folder / "sdr/base/names.py").rename(folder / "sdr/base/other.py")
    assert not checked.is_known(checked.key())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 64])
def test_a_damaged_note_is_none(folder, content):
    checked.keep(checked.key())
    (folder / "scratch/checked").write_bytes(content)
    assert not checked.is_known(checked.key())


def test_what_is_known_loads_no_rules(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))
    checked.keep(checked.key())
    program = (
        "import sys, runpy; runpy.run_module('tools.check', run_name='__main__'); sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "SDR_SCRATCH": str(tmp_path)}
        ).returncode
        == 0
    )
