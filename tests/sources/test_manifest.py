import hashlib
import os

import pytest

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.sources import manifest
from sdr.sources.manifest import File, Hashed


@pytest.fixture
def root(tmp_path):
    """Two folders with files, one of which links a third folder, and a file of its own."""
    for path in (
        "a/x.jpg",
        "a/deep/y.jpg",
        "b/z.txt",
        "elsewhere/w.jpg",
        "a/.hidden",
        "list.txt",
        "other.txt",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "a/linked").symlink_to(tmp_path / "elsewhere")
    return tmp_path


ALL = ["a/deep/y.jpg", "a/linked/w.jpg", "a/x.jpg", "b/z.txt", "list.txt"]


def scan(root):
    return manifest.scan(root, ("a", "b", "list.txt"))


def test_every_visible_file_is_listed_with_its_size_time_and_hash(root):
    os.utime(root / "a/x.jpg", ns=(1, 1_600_000_000_123_456_789))
    files = manifest.take(root, scan(root), {})
    assert list(files) == ALL
    assert files["a/x.jpg"] == Hashed(7, 1_600_000_000_123_456_789, hashlib.sha256(b"a/x.jpg").hexdigest())
    assert files["a/linked/w.jpg"].sha256 == hashlib.sha256(b"elsewhere/w.jpg").hexdigest()


def test_a_whole_folder_is_listed_without_its_own_name(root):
    (root / "a/linked").unlink()
    assert set(manifest.scan(root, [""])) == {*ALL, "elsewhere/w.jpg", "other.txt"} - {"a/linked/w.jpg"}


def test_a_folder_inside_another_is_listed_once(root):
    assert list(manifest.scan(root, ("a", "a/deep", "a/x.jpg"))) == ALL[:3]


def test_the_files_are_those_that_readers_find(root):
    (root / "a/none").mkdir()
    (root / "a/gone.jpg").symlink_to("nowhere.jpg")
    (root / "a/.git").mkdir()
    (root / "a/.git/config").touch()
    (root / "a/circle").symlink_to("circle")
    (root / "a/file link.jpg").symlink_to(root / "other.txt")
    expected = [path.relative_to(root).as_posix() for path in location.files(root / "a")]
    assert sorted(expected) == list(manifest.scan(root, ("a",)))


def test_a_missing_folder_is_named(root):
    with pytest.raises(UserError, match="nowhere: No such file"):
        manifest.scan(root, ("a", "nowhere"))


def test_written_and_read_back(root, tmp_path):
    odd = b'quo"te, new\nline, caf\xe9 \xc3\xa9.jpg'.decode(errors="surrogateescape")
    files = {"a/x.jpg": File(7, "ab"), odd: File(0, "")}
    path = tmp_path / "manifests/pets.csv"
    manifest.write(path, files)
    assert manifest.read(path) == files
    assert path.read_text(errors="replace").startswith("path,bytes,sha256\na/x.jpg,7,ab\n")
    assert [p.name for p in path.parent.iterdir()] == ["pets.csv"]


def test_something_else_is_no_manifest(tmp_path):
    (tmp_path / "m.csv").write_text("file,label\n")
    with pytest.raises(UserError, match="m.csv: not a manifest"):
        manifest.read(tmp_path / "m.csv")


@pytest.mark.parametrize("text", ["", "path,bytes\na,b\n", "path,bytes,mtime_ns,sha256\na,1,x,y\n"])
def test_of_a_damaged_index_nothing_is_known(tmp_path, text):
    (tmp_path / "i.csv").write_text(text)
    assert manifest.read_index(tmp_path / "i.csv") == manifest.read_index(tmp_path / "none.csv") == {}


def test_what_looks_the_same_is_not_read_again(root):
    known = {path: Hashed(*stat, f"known {path}") for path, stat in scan(root).items()}
    (root / "a/x.jpg").write_text("longer than before")
    os.utime(root / "b/z.txt", ns=(1, 1))
    del known["list.txt"]
    files = manifest.take(root, scan(root), known)
    assert [path for path, file in files.items() if file.sha256.startswith("known")] == ALL[:2]
    assert files["a/x.jpg"].sha256 == hashlib.sha256(b"longer than before").hexdigest()


def test_differences_are_of_content_and_of_presence():
    listed = {"a": File(1, "a"), "b": File(1, "b"), "c": File(1, "c")}
    assert manifest.differing(listed, dict(listed)) == []
    assert manifest.differing(listed, {"a": File(1, "other"), "c": File(1, "c"), "d": File(1, "d")}) == ["a", "b", "d"]


def test_a_link_to_nowhere_and_an_unreadable_file_are_left_to_their_reader(root):
    (root / "a/gone.jpg").symlink_to("nowhere.jpg")
    assert manifest.take(root, scan(root), {})["a/gone.jpg"] == Hashed(0, 0, "")
    (root / "a/folder.jpg").mkdir()
    assert manifest.sha256(root / "a/folder.jpg") == ""
