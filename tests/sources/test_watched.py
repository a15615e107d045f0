import os
from pathlib import Path

import pytest

from sdr.base.errors import UserError
from sdr.sources import manifest
from sdr.sources.manifest import File
from sdr.sources.watched import (
    Watched,
    check_files,
    check_read,
    indices,
    installed,
    listed_files,
    manifest_path,
    take,
    write_manifest,
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with files of a task "pets", the folder of this process."""
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.chdir(tmp_path)
    for path in ("train/cat/1.jpg", "train/dog/2.jpg", "test/labels.csv"):
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / path).write_text(path)
    return tmp_path


def pets() -> Watched:
    return Watched("tasks", "pets", Path.cwd(), manifest.scan(Path.cwd(), ["pets"]))


def touch(path: Path, text: str | None = None) -> None:
    """Change the time of a file, and its content if `text` is given."""
    if text is not None:
        path.write_text(text)
    os.utime(path, ns=(1, 1))


def test_only_what_changed_is_read_again(root, monkeypatch):
    files = take(pets())
    assert list(files) == ["pets/test/labels.csv", "pets/train/cat/1.jpg", "pets/train/dog/2.jpg"]
    touch(root / "pets/train/cat/1.jpg", "other content")
    read = []
    honest = manifest.sha256
    monkeypatch.setattr(manifest, "sha256", lambda path: read.append(path.name) or honest(path))
    assert take(pets()) == files | {"pets/train/cat/1.jpg": File(13, honest(root / "pets/train/cat/1.jpg"))}
    assert read == ["1.jpg"]
    assert take(pets()) and read == ["1.jpg"]


def test_hashes_of_another_folder_are_not_taken(root):
    """Files of the same names, sizes and times."""
    first = take(pets())
    (root / "pets").rename(root / "moved")
    (root / "elsewhere/pets").mkdir(parents=True)
    for path, (old, new) in {"a.jpg": ("old", "new")}.items():
        for folder, text in ((root / "elsewhere/pets", new), (root / "pets", old)):
            folder.mkdir(exist_ok=True)
            touch(folder / path, text)
    here, there = (
        take(Watched("tasks", "pets", folder, manifest.scan(folder, ["pets"]))) for folder in (root, root / "elsewhere")
    )
    assert here.keys() == there.keys() and here != there and first.keys() != here.keys()
    assert len(indices("tasks", "pets")) == 2


def test_the_index_lies_beside_the_pipeline(root, monkeypatch):
    monkeypatch.delenv("SDR_SCRATCH")
    monkeypatch.setenv("DVC_ROOT", str(root / "repo"))
    take(pets())
    assert [path.parent for path in indices("tasks", "pets")] == [root / "repo/.scratch/manifests/tasks"]


def test_files_that_are_as_listed_pass_even_if_they_were_copied(root):
    files = take(pets())
    for path in root.rglob("*.*"):
        touch(path)
    check_files(pets(), files)


def _changed_content(pets):
    touch(pets / "test/labels.csv", "Test/labels.csv")  # of the same length


def _changed_size(pets):
    (pets / "test/labels.csv").write_text("longer than before")


def _new(pets):
    (pets / "train/cat/3.jpg").write_text("new")


def _gone(pets):
    (pets / "train/cat/1.jpg").unlink()


@pytest.mark.parametrize("change", [_changed_content, _changed_size, _new, _gone])
def test_files_that_are_not_as_listed_are_told(root, change):
    files = take(pets())
    change(root / "pets")
    with pytest.raises(UserError, match="task pets: 1 of its files are not .*run `python -m tools.refresh pets`"):
        check_files(pets(), files)


def test_a_file_that_changes_unseen_is_told_when_it_is_read():
    files = {"pets/1.jpg": File(1, "aa"), "pets/2.jpg": File(1, "bb")}
    check_read("tasks", "pets", files, [("pets/1.jpg", "aa"), ("cifar/train#7", "cc"), ("pets/2.jpg", "bb")])
    with pytest.raises(UserError, match="such as pets/2.jpg; run `python -m tools.refresh --rehash pets`"):
        check_read("tasks", "pets", files, [("pets/1.jpg", "aa"), ("pets/2.jpg", "other")])


@pytest.mark.parametrize(
    ("section", "stage", "path"),
    [
        ("tasks", "manifest", "artifacts/manifests/tasks/pets.csv"),
        ("detection", "manifest_detection", "artifacts/manifests/detection/pets.csv"),
    ],
)
def test_what_is_written_is_read_where_its_section_keeps_it(root, section, stage, path):
    assert manifest_path(section, "pets") == Path(path)
    with pytest.raises(UserError, match=f"{path}: not found; run `dvc repro {stage}@pets`"):
        listed_files(section, "pets")
    watched = Watched(section, "pets", root, pets().found)
    assert write_manifest(watched) == "manifest pets: 3 files, 0.0 MB"
    assert listed_files(section, "pets") == take(watched)
    assert indices(section, "pets")


def test_packages_are_their_versions(monkeypatch):
    watched = Watched("tasks", "digits", None, installed(["numpy", "pillow"]))
    files = take(watched)
    assert list(files)[0].startswith("numpy==") and set(files.values()) == {File(0, "")}
    check_files(watched, files)
    monkeypatch.setattr("sdr.sources.watched.metadata.version", lambda package: "999")
    changed = Watched("tasks", "digits", None, installed(["numpy", "pillow"]))
    with pytest.raises(UserError, match="task digits: 4 of its files .* such as numpy==.*refresh digits`"):
        check_files(changed, files)


def test_a_missing_package_is_told():
    with pytest.raises(UserError, match="package no-such-package is not installed: run `make setup`"):
        installed(["no-such-package"])
