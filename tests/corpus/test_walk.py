"""Every picture once: links, circles, leftovers and odd files, against what a walk of real folders finds."""

import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.corpus.walk import LEFTOVERS, walk


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def found(root):
    return list(walk(root).files)


def test_circles_end_and_every_file_keeps_its_real_path(tmp_path):
    root = tmp_path / "photos"
    fill(root, "trip/1.png", "trip/2.png", "zoo/3.png")
    (root / "trip/all").symlink_to("..")  # up
    (root / "trip/again").symlink_to(root)  # a second one: the paths would double at each level
    (root / "aaa").symlink_to("zoo")  # sorted before what is really there
    (root / "zoo/self").symlink_to(root / "zoo")
    (root / "zoo/above").symlink_to(tmp_path)  # holds the folder itself
    (root / "zoo/other.png").symlink_to("3.png")
    result = walk(root)
    assert list(result.files) == ["trip/1.png", "trip/2.png", "zoo/3.png"]
    assert result.left_out == {"reached twice": 6}
    assert list(result.remarks()) == ["6 links lead to what was counted already, and were left out"]


def test_links_out_are_followed_and_counted_once(tmp_path):
    root, disk = tmp_path / "photos", tmp_path / "disk"
    fill(root, "here/1.png")
    fill(disk, "a/2.png", "a/b/3.png", "4.png")
    (root / "disk").symlink_to(disk)
    (root / "disk again").symlink_to(disk / "a")  # in what another link reached
    (root / "one.png").symlink_to(disk / "4.png")
    (disk / "a/back").symlink_to(root)
    result = walk(root)
    assert list(result.files) == ["disk/4.png", "disk/a/2.png", "disk/a/b/3.png", "here/1.png"]
    assert result.left_out["links out"] == 1 and result.left_out["reached twice"] == 3
    assert "1 links lead out of the folder, and were followed" in list(result.remarks())


def test_an_inner_folder_reached_first_is_not_counted_again_by_the_outer(tmp_path):
    root, disk = tmp_path / "photos", tmp_path / "disk"
    root.mkdir()
    fill(disk, "a/1.png", "2.png")
    (root / "first").symlink_to(disk / "a")
    (root / "second").symlink_to(disk)
    assert found(root) == ["first/1.png", "second/2.png"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
@settings(max_examples=40, deadline=None)
def test_whatever_links_there_are_each_file_is_found_once(tmp_path_factory, links):
    root = tmp_path_factory.mktemp("links")
    folders = ["", "a", "a/b", "c", "c/d", "c/d/e"]
    files = [f"{folder}/{number}.png".lstrip("/") for folder in folders for number in range(2)]
    fill(root, *files)
    for number, (place, target) in enumerate(links):
        (root / folders[place] / f"link{number}").symlink_to(root / folders[target])
    assert found(root) == sorted(files, key=lambda name: name.split("/"))


def test_two_names_of_one_file_are_one(tmp_path):
    fill(tmp_path, "a/1.png", "b/2.png")
    os.link(tmp_path / "a/1.png", tmp_path / "b/1 again.png")
    result = walk(tmp_path)
    assert len(result.files) == 2 and result.left_out == {"reached twice": 1}


def test_equal_numbers_of_files_on_two_disks_are_two_files(tmp_path, monkeypatch):
    fill(tmp_path, "a/1.png", "b/2.png")
    monkeypatch.setattr("sdr.corpus.walk._identity", lambda stat: (stat().st_size, stat().st_ino))
    assert len(found(tmp_path)) == 2


@pytest.mark.parametrize(
    "name", sorted(LEFTOVERS - {"icon\r"}) + ["@eaDir", "Thumbs.db", "$RECYCLE.BIN", ".DS_Store", "._1.png"]
)
def test_what_systems_leave_behind_is_left_out_at_any_depth(tmp_path, name):
    fill(tmp_path, "cat/1.png", f"{name}/x.jpg/SYNOPHOTO_THUMB_M.jpg", f"cat/deep/{name}/y.jpg")
    fill(tmp_path / "other", name)
    assert found(tmp_path) == ["cat/1.png"]


def test_names_that_only_resemble_leftovers_are_kept(tmp_path):
    fill(tmp_path, "lost and found/1.png", "thumbs/2.png", "recycle/3.png", "desktop.png")
    assert len(found(tmp_path)) == 4


def test_special_files_are_left_out_and_counted(tmp_path):
    fill(tmp_path, "1.png")
    os.mkfifo(tmp_path / "2.png")
    (tmp_path / "3.png").symlink_to("2.png")
    (tmp_path / "4.png").symlink_to("/dev/zero")
    bound = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path is short
    bound.bind("5.png")
    os.chdir(here)
    result = walk(tmp_path)
    bound.close()
    assert list(result.files) == ["1.png"] and result.left_out["special"] == 4
    assert "4 pipes, sockets or devices were left out" in list(result.remarks())


def test_a_link_to_nowhere_is_found_so_that_its_reader_says_so(tmp_path):
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "circle").symlink_to("circle")
    assert found(tmp_path) == ["circle", "gone.png"]


def test_folders_are_sorted_by_their_parts_and_may_be_deep(tmp_path):
    deep = "/".join("d" * 300)
    fill(tmp_path, "b/2.png", "b/10.png", "b.png", "a b/1.png", f"a/{deep}/1.png")
    assert found(tmp_path) == [f"a/{deep}/1.png", "a b/1.png", "b/10.png", "b/2.png", "b.png"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "secret\x1b").mkdir()
    scan = os.scandir

    def refuse(path):
        if "secret" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything, so a mode would not do
    with pytest.raises(UserError, match=r"secret\\x1b: Permission denied; check its owner"):
        walk(tmp_path)
