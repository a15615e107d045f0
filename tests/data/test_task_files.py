import os
from pathlib import Path

import pytest

from sdr.data import builtin, location, manifest, packages
from sdr.data.manifest import File
from sdr.data.readers import registry
from sdr.data.readers.reader import Reader
from sdr.data.task import TaskSpec
from sdr.data.task_files import (
    PACKAGES,
    check_files,
    check_read,
    present,
    private_copy,
    reader_of,
    take_manifest,
)
from sdr.errors import UserError

FOLDER = TaskSpec(source="folder", metric="top1")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The root of the tasks, with files of a task "pets"."""
    monkeypatch.setenv(location.TASKS, str(tmp_path / "tasks"))
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    for path in ("train/cat/1.jpg", "train/dog/2.jpg", "test/labels.csv"):
        (tmp_path / "tasks/pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tasks/pets" / path).write_text(path)
    return tmp_path / "tasks"


def planes(root: Path) -> None:
    """Download a data set of one file."""
    (root / "planes").mkdir()
    (root / "planes/1.jpg").write_text("a plane")


@pytest.fixture
def aircraft(monkeypatch):
    """`aircraft(download)` makes a data set of that name, of the folder `planes`."""

    def make(download) -> None:
        reader = Reader("top1", 1, {"train": 1}, ("planes",), lambda root: {}, download, "ask the airport")
        monkeypatch.setitem(registry.READERS, "aircraft", reader)

    return make


def touch(path: Path, text: str | None = None) -> None:
    """Change the time of a file, and its content if `text` is given."""
    if text is not None:
        path.write_text(text)
    os.utime(path, ns=(1, 1))


def test_a_manifest_is_taken_and_its_hashes_are_used_again(root, monkeypatch):
    files = take_manifest("pets", FOLDER)
    assert list(files) == ["pets/test/labels.csv", "pets/train/cat/1.jpg", "pets/train/dog/2.jpg"]
    kept = manifest.read(private_copy("pets"))
    assert kept == {str(root / path): file for path, file in files.items()}
    touch(root / "pets/train/cat/1.jpg", "other content")
    read = []
    honest = manifest.sha256
    monkeypatch.setattr(manifest, "sha256", lambda path: read.append(path.name) or honest(path))
    assert take_manifest("pets", FOLDER) == files | {
        "pets/train/cat/1.jpg": File(13, 1, honest(root / "pets/train/cat/1.jpg"))
    }
    assert read == ["1.jpg"]


def test_the_private_copy_lies_beside_the_pipeline(monkeypatch):
    monkeypatch.delenv("SDR_SCRATCH", raising=False)
    monkeypatch.setenv("DVC_ROOT", "/repo")
    assert private_copy("pets") == Path("/repo/.scratch/manifests/pets.csv")


def test_files_that_are_as_listed_pass_even_if_they_were_copied(root):
    files = take_manifest("pets", FOLDER)
    for path in root.rglob("*.*"):
        touch(path)
    check_files("pets", FOLDER, files)


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
    files = take_manifest("pets", FOLDER)
    change(root / "pets")
    with pytest.raises(
        UserError, match="task pets: 1 of its files are not .*run `python -m tools.refresh pets`"
    ):
        check_files("pets", FOLDER, files)


def test_a_file_that_changes_unseen_is_told_when_it_is_read():
    files = {"pets/1.jpg": File(1, 1, "aa"), "pets/2.jpg": File(1, 1, "bb")}
    check_read("pets", files, [("pets/1.jpg", "aa"), ("cifar/train#7", "cc"), ("pets/2.jpg", "bb")])
    with pytest.raises(UserError, match="such as pets/2.jpg; run `python -m tools.refresh --rehash pets`"):
        check_read("pets", files, [("pets/1.jpg", "aa"), ("pets/2.jpg", "other")])


@pytest.mark.parametrize(
    ("source", "inside"), [("folder", r"train/CLASS/\* and test"), ("csv", "train.csv and test.csv")]
)
def test_a_missing_task_says_what_it_should_hold(root, source, inside):
    with pytest.raises(UserError, match=f"birds not found; it should hold {inside}"):
        present("birds", TaskSpec(source=source, metric="top1"))


def test_a_data_set_is_downloaded_where_the_task_says_so_and_only_if_it_is_missing(root, aircraft):
    aircraft(planes)
    with pytest.raises(UserError) as error:
        take_manifest("mine", TaskSpec(source="aircraft", metric="top1"))
    assert str(error.value) == (
        f"task mine: planes of data set aircraft not found in {root} (SDR_DATA_TASKS); "
        "tasks.mine.download: true fetches it; ask the airport"
    )
    for _ in range(2):  # `planes` would fail where the folder is
        spec = TaskSpec(source="aircraft", metric="top1", download=True)
        assert list(take_manifest("mine", spec)) == ["planes/1.jpg"]


@pytest.mark.parametrize("wanted", [False, True])
def test_what_no_host_serves_is_told(root, aircraft, wanted):
    aircraft(None)
    with pytest.raises(UserError, match="which no host serves for download any more; ask the airport"):
        take_manifest("mine", TaskSpec(source="aircraft", metric="top1", download=wanted))


@pytest.mark.parametrize(("source", "metric"), [("pets", "map"), ("voc2007", "top1")])
def test_a_metric_of_another_kind_is_refused(source, metric):
    with pytest.raises(
        UserError, match=f"tasks.x.metric: {metric} does not suit {source}, whose images have"
    ):
        reader_of("x", TaskSpec(source=source, metric=metric))


def test_a_built_in_task_is_the_versions_of_its_packages(monkeypatch):
    spec = TaskSpec(source="builtin", metric="top1")
    files = take_manifest("digits", spec)
    assert list(files)[0].startswith("scikit-learn==") and set(files.values()) == {File(0, 0, "")}
    check_files("digits", spec, files)
    monkeypatch.setattr("sdr.data.task_files.metadata.version", lambda package: "999")
    with pytest.raises(
        UserError, match="task digits: 2 of its files .* such as scikit-learn==.*refresh digits`"
    ):
        check_files("digits", spec, files)


def test_the_packages_of_the_built_in_tasks_are_those_that_they_read(monkeypatch):
    assert PACKAGES.keys() == builtin.TASKS.keys()
    read = set()
    shipped = packages.shipped
    for module in ("digits", "maps", "icons", "pictograms", "photographs"):
        monkeypatch.setattr(
            f"sdr.data.builtin.{module}.shipped", lambda name, path: read.add(name) or shipped(name, path)
        )
    for name, expected in PACKAGES.items():
        read.clear()
        for _ in builtin.TASKS[name]():
            pass
        assert read == set(expected), name
