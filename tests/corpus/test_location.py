import os

import pytest

from sdr.base.errors import UserError
from sdr.corpus import location


def test_an_unset_variable_says_what_to_do():
    with pytest.raises(UserError, match="SDR_DATA is not set; `export SDR_DATA="):
        location.root("SDR_DATA")


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for name, what in (("nothing", "does not exist"), ("file", "is not a folder")):
        monkeypatch.setenv("SDR_DATA", str(tmp_path / name))
        with pytest.raises(UserError, match=f"{name} {what}"):
            location.root("SDR_DATA")


def test_a_relative_folder_is_taken_from_the_root_of_the_repository(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    monkeypatch.setenv("SDR_DATA", "images")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert location.root("SDR_DATA") == tmp_path / "images"


def test_files_are_sorted_and_hidden_ones_left_out(tmp_path):
    for name in ("b/2.png", "b/10.png", "a.png", ".hidden/x.png", "b/.DS_Store", "b/c/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in location.files(tmp_path)]
    assert found == ["a.png", "b/10.png", "b/2.png", "b/c/1.png"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    (tmp_path / "secret").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything, so a mode would not do
    with pytest.raises(UserError, match="secret: Permission denied; check its owner"):
        location.files(tmp_path)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A main work tree whose local file names a folder with a space, relative to it."""
    for name in ("SDR_DATA", "SDR_DATA_TASKS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "my images").mkdir()
    (tmp_path / location.LOCAL).write_text('SDR_DATA: "my images"\n')
    return tmp_path


def test_the_local_file_says_where_no_variable_does(clone, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(clone))
    assert location.root("SDR_DATA") == clone / "my images"
    with pytest.raises(UserError, match="SDR_DATA_TASKS is not set"):
        location.root("SDR_DATA_TASKS")
    (clone / "others").mkdir()
    monkeypatch.setenv("SDR_DATA", "others")
    assert location.root("SDR_DATA") == clone / "others"


def test_an_experiment_in_a_folder_of_dvcs_uses_that_of_the_main_work_tree(clone, monkeypatch):
    inside = clone / ".dvc/tmp/exps/standalone/tmp1"
    inside.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(inside))
    assert location.root("SDR_DATA") == clone / "my images"
    beside = clone / "another clone"
    beside.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(beside))
    with pytest.raises(UserError, match="SDR_DATA is not set"):
        location.root("SDR_DATA")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not valid YAML"),
        ("SDR_DATA: [1]\n", "not lines"),
        ("just text", "not lines"),
        ("SDR_DATA: gone\n", "gone in .*does not exist"),
    ],
)
def test_a_bad_local_file_is_one_message(clone, monkeypatch, text, says):
    monkeypatch.setenv("DVC_ROOT", str(clone))
    (clone / location.LOCAL).write_text(text)
    with pytest.raises(UserError, match=says):
        location.root("SDR_DATA")
