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
    installed,
    listed_files,
    manifest_path,
    private_copy,
    take_manifest,
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


def test_a_manifest_is_taken_and_its_hashes_are_used_again(root, monkeypatch):
    files = take_manifest(pets())
    assert list(files) == ["pets/test/labels.csv", "pets/train/cat/1.jpg", "pets/train/dog/2.jpg"]
    kept = manifest.read(private_copy("tasks", "pets"))
    assert kept == {str(root / path): file for path, file in files.items()}
    touch(root / "pets/train/cat/1.jpg", "other content")
    read = []
    honest = manifest.sha256
    monkeypatch.setattr(manifest, "sha256", lambda path: read.append(path.name) or honest(path))
    assert take_manifest(pets()) == files | {"pets/train/cat/1.jpg": File(13, 1, honest(root / "pets/train/cat/1.jpg"))}
    assert read == ["1.jpg"]


def test_the_private_copy_lies_beside_the_pipeline(monkeypatch):
    monkeypatch.delenv("SDR_SCRATCH", raising=False)
    monkeypatch.setenv("DVC_ROOT", "/repo")
    assert private_copy("tasks", "pets") == Path("/repo/.scratch/manifests/pets.csv")


def test_files_that_are_as_listed_pass_even_if_they_were_copied(root):
    files = take_manifest(pets())
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
    files = take_manifest(pets())
    change(root / "pets")
    with pytest.raises(UserError, match="task pets: 1 of its files are not .*run `python -m tools.refresh pets`"):
        check_files(pets(), files)


def test_a_file_that_changes_unseen_is_told_when_it_is_read():
    files = {"pets/1.jpg": File(1, 1, "aa"), "pets/2.jpg": File(1, 1, "bb")}
    check_read("tasks", "pets", files, [("pets/1.jpg", "aa"), ("cifar/train#7", "cc"), ("pets/2.jpg", "bb")])
    with pytest.raises(UserError, match="such as pets/2.jpg; run `python -m tools.refresh --rehash pets`"):
        check_read("tasks", "pets", files, [("pets/1.jpg", "aa"), ("pets/2.jpg", "other")])


@pytest.mark.parametrize(
    ("section", "stage", "path"),
    [
        ("tasks", "manifest", "artifacts/manifests/pets.csv"),
        ("detection", "manifest_detection", "artifacts/manifests/detection/pets.csv"),
    ],
)
def test_what_is_written_is_read_where_its_section_keeps_it(root, section, stage, path):
    assert manifest_path(section, "pets") == Path(path)
    with pytest.raises(UserError, match=f"{path}: not found; run `dvc repro {stage}@pets`"):
        listed_files(section, "pets")
    watched = Watched(section, "pets", root, pets().files)
    assert write_manifest(watched) == "manifest pets: 3 files, 0.0 MB"
    assert listed_files(section, "pets") == take_manifest(watched)
    assert private_copy(section, "pets").exists()


def test_packages_are_their_versions(monkeypatch):
    watched = Watched("tasks", "digits", None, installed(["numpy", "pillow"]))
    files = take_manifest(watched)
    assert list(files)[0].startswith("numpy==") and set(files.values()) == {File(0, 0, "")}
    check_files(watched, files)
    monkeypatch.setattr("sdr.sources.watched.metadata.version", lambda package: "999")
    changed = Watched("tasks", "digits", None, installed(["numpy", "pillow"]))
    with pytest.raises(UserError, match="task digits: 4 of its files .* such as numpy==.*refresh digits`"):
        check_files(changed, files)


def test_a_missing_package_is_told():
    with pytest.raises(UserError, match="package no-such-package is not installed: run `make setup`"):
        installed(["no-such-package"])
