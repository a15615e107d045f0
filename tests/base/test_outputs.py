import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sdr.base.outputs import digest, output_dir, output_file, write_csv, write_json

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_folder_appears_whole(tmp_path):
    with output_dir(tmp_path / "deep" / "out") as out:
        (out / "a").write_text("1")
        assert not (tmp_path / "deep" / "out").exists()
    assert names(tmp_path / "deep") == {"out"}
    assert (tmp_path / "deep/out/a").read_text() == "1"


def test_folder_replaces_all_of_the_old_one(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    with output_dir(tmp_path / "out") as out:
        (out / "new").touch()
    assert names(tmp_path / "out") == {"new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_failure_inside_keeps_the_old_and_leaves_nothing_new(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    (tmp_path / "file").write_text("old")
    with pytest.raises(error), output_dir(tmp_path / "out") as out:
        (out / "new").touch()
        raise error
    with pytest.raises(error), output_file(tmp_path / "file") as file:
        file.write_text("new")
        raise error
    assert names(tmp_path) == {"out", "file"}
    assert names(tmp_path / "out") == {"old"}
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize("kind", ["output_dir", "output_file"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_process_leaves_nothing_that_the_next_run_does_not_replace(tmp_path, kind, number):
    """Real signals to a real process; after SIGKILL the half-written part may stay until the next run."""
    write = "(out / 'x').write_text('half')" if kind == "output_dir" else "out.write_text('half')"
    code = f"""
import time
from sdr.base.errors import program
from sdr.base.outputs import {kind}
@program
def main():
    with {kind}({str(tmp_path / "out")!r}) as out:
        {write}
        print("ready", flush=True)
        time.sleep(60)
main()
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=-1, stderr=-1, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=600)
    left = names(tmp_path)
    assert "out" not in left
    if number != signal.SIGKILL:
        assert left == set()
    if kind == "output_dir":
        with output_dir(tmp_path / "out") as out:
            assert names(out) == set()
            (out / "y").touch()
        assert names(tmp_path / "out") == {"y"}
    else:
        with output_file(tmp_path / "out") as out:
            out.write_text("whole")
        assert (tmp_path / "out").read_text() == "whole"
    assert names(tmp_path) == {"out"}


def test_no_permission_is_an_oserror_that_names_the_path(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file"), output_dir(tmp_path / "file" / "out"):
        pass


def test_json_is_read_back_and_refuses_nan(tmp_path):
    value = {"ä": [1, 2.5, None], "b": {"c": True}}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text()) == value
    assert (tmp_path / "a.json").read_text().endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert json.loads((tmp_path / "a.json").read_text()) == value
    assert names(tmp_path) == {"a.json"}


def test_csv_is_read_back(tmp_path):
    rows = [{"a": 1, "b": 'x,"y'}, {"a": 2, "b": "line\nbreak"}]
    write_csv(tmp_path / "a.csv", (row for row in rows))
    with open(tmp_path / "a.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"a": str(row["a"]), "b": row["b"]} for row in rows]
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()


def test_csv_rows_of_other_keys_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="b"):
        write_csv(tmp_path / "a.csv", [{"a": 1}, {"b": 2}])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_modes_of_the_users_umask(tmp_path, umask):
    """Whoever writes them, for itself alone (safetensors does) or as a copy of something read-only."""
    before = os.umask(umask)
    try:
        with output_dir(tmp_path / "folder") as out:
            (out / "inner").mkdir(mode=0o700)
            for name in ("model.safetensors", "inner/file"):
                (out / name).write_text("x")
                (out / name).chmod(0o400)
        with output_file(tmp_path / "file") as partial:
            partial.unlink()
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))
        write_json(tmp_path / "json", {})
    finally:
        os.umask(before)
    files = ("folder/model.safetensors", "folder/inner/file", "file", "json")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in files} == {0o666 & ~umask}
    assert (tmp_path / "folder/inner").stat().st_mode & 0o777 == 0o777 & ~umask


def test_modes_of_what_a_link_points_to_are_left_alone(tmp_path):
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "own/file").touch(mode=0o600)
    with output_dir(tmp_path / "folder") as out:
        (out / "folder").symlink_to(tmp_path / "own")
        (out / "file").symlink_to(tmp_path / "own/file")
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "own/file").stat().st_mode & 0o777 == 0o600


def test_a_digest_is_of_the_content(tmp_path):
    (tmp_path / "images.npy").write_bytes(b"one")
    first = digest(str(tmp_path))
    assert digest(str(tmp_path)) == first
    (tmp_path / "images.npy").write_bytes(b"two")  # the same name, size and number of files
    assert digest(str(tmp_path)) != first
