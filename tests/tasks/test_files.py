from pathlib import Path

import pytest

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.sources import builtin, packages
from sdr.sources.builtin_packages import PACKAGES
from sdr.sources.watched import Watched, installed
from sdr.tasks.files import fetch, look, reader_of
from sdr.tasks.readers import registry
from sdr.tasks.readers.reader import Reader
from sdr.tasks.task import TaskSpec


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The root of the tasks, with files of a task "pets"."""
    monkeypatch.setenv(location.TASKS, str(tmp_path / "tasks"))
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


def take(name: str, spec: TaskSpec) -> dict:
    """What stage `manifest` lists."""
    fetch(name, spec)
    return look(name, spec).found


def test_the_files_of_a_folder_are_found(root):
    files = ["pets/test/labels.csv", "pets/train/cat/1.jpg", "pets/train/dog/2.jpg"]
    found = look("pets", TaskSpec(source="folder", metric="top1"))
    assert (found.section, found.name, found.root, list(found.found)) == ("tasks", "pets", root, files)


@pytest.mark.parametrize(
    ("source", "inside"), [("folder", r"train/CLASS/\* and test"), ("csv", "train.csv and test.csv")]
)
def test_a_missing_task_says_what_it_should_hold(root, source, inside):
    with pytest.raises(UserError, match=f"birds not found; it should hold {inside}"):
        look("birds", TaskSpec(source=source, metric="top1"))


def test_a_data_set_is_downloaded_where_the_task_says_so_and_only_if_it_is_missing(root, aircraft):
    aircraft(planes)
    with pytest.raises(UserError) as error:
        take("mine", TaskSpec(source="aircraft", metric="top1"))
    assert str(error.value) == (
        f"task mine: planes of data set aircraft not found in {root} (SDR_DATA_TASKS); "
        "tasks.mine.download: true fetches it; ask the airport"
    )
    for _ in range(2):  # `planes` would fail where the folder is
        spec = TaskSpec(source="aircraft", metric="top1", download=True)
        assert list(take("mine", spec)) == ["planes/1.jpg"]


@pytest.mark.parametrize("wanted", [False, True])
def test_what_no_host_serves_is_told(root, aircraft, wanted):
    aircraft(None)
    with pytest.raises(UserError, match="which no host serves for download any more; ask the airport"):
        take("mine", TaskSpec(source="aircraft", metric="top1", download=wanted))


@pytest.mark.parametrize(("source", "metric"), [("pets", "map"), ("voc2007", "top1")])
def test_a_metric_of_another_kind_is_refused(source, metric):
    with pytest.raises(UserError, match=f"tasks.x.metric: {metric} does not suit {source}, whose images have"):
        reader_of("x", TaskSpec(source=source, metric=metric))


def test_a_built_in_task_is_the_versions_of_its_packages():
    found = look("digits", TaskSpec(source="builtin", metric="top1"))
    assert found == Watched("tasks", "digits", None, installed(("scikit-learn",)))


def test_the_packages_of_the_built_in_tasks_are_those_that_they_read(monkeypatch):
    assert PACKAGES.keys() == builtin.TASKS.keys()
    read = set()
    shipped = packages.shipped
    for module in ("digits", "glyphs", "icons", "maps", "numerals", "photographs"):
        monkeypatch.setattr(
            f"sdr.sources.builtin.{module}.shipped", lambda name, path: read.add(name) or shipped(name, path)
        )
    for name, expected in PACKAGES.items():
        read.clear()
        for _ in builtin.TASKS[name]():
            pass
        assert read == set(expected), name
