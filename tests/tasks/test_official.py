"""Data sets of the protocol: what is held against what they officially are."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import Entry
from sdr.sources.watched import take
from sdr.tasks.files import look
from sdr.tasks.image import from_file, from_picture
from sdr.tasks.prepare_task import prepare_task
from sdr.tasks.readers import registry
from sdr.tasks.readers.reader import Reader
from sdr.tasks.task import Task, TaskSpec


@pytest.fixture
def prepare(tmp_path, monkeypatch) -> Callable:
    """Prepare a data set "pets": two classes, 3 + 3 images to train with and 2 + 2 to test on, of side 6."""
    monkeypatch.setenv(location.TASKS, str(tmp_path / "tasks"))
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    rng = np.random.default_rng(0)
    splits = {"train": [], "test": []}
    for split, count in (("train", 3), ("test", 2)):
        for label in ("cat", "dog"):
            for number in range(count):
                path = tmp_path / "tasks/files" / split / f"{label}{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(path)
                origin = f"files/{split}/{path.name}"
                splits[split].append(Entry(label, origin, partial(from_file, path, origin)))

    def run(size=8, bad=0.0, change=None, spoil=None, **spec) -> dict:
        facts = {
            "metric": "mean_per_class",
            "n_classes": 2,
            "sizes": {"train": 6, "test": 4},
            "folders": ("files",),
        }
        facts |= {"read": lambda root: splits, "download": None, "get": "ask the vet"} | (change or {})
        monkeypatch.setitem(registry.READERS, "pets", Reader(**facts))
        wanted = TaskSpec(**{"source": "pets", "metric": "mean_per_class"} | spec)
        files = take(look("mine", wanted))
        if spoil:
            spoil(tmp_path / "tasks/files")
        (tmp_path / "out").mkdir(exist_ok=True)
        meta = prepare_task("mine", wanted, size, bad, files, tmp_path / "out")
        return meta | {"shape": Task.open(tmp_path / "out").images("test").shape}

    run.splits = splits
    return run


def test_it_is_read_through_its_reader(prepare):
    meta = prepare()
    assert (meta["task"], meta["source"], meta["classes"]) == ("mine", "pets", ["cat", "dog"])
    assert (meta["n_train"], meta["n_val"], meta["n_test"]) == (6, 0, 4)
    assert (meta["partial"], meta["warnings"], meta["shape"]) == ({}, [], (4, 8, 8, 3))


@pytest.mark.parametrize(("side", "stored"), [(6, 6), (60, 8), (None, 8)])
def test_small_images_keep_their_side(prepare, side, stored):
    meta = prepare(change={"side": side})
    assert meta["shape"] == (4, stored, stored, 3) and meta["size"] == stored


def test_a_split_of_another_size_is_refused(prepare):
    prepare.splits["test"].pop()
    with pytest.raises(UserError) as error:
        prepare(change={"sizes": {"train": 7000, "test": 4}})
    for part in (
        "split train has 6 images, not 7,000",
        "split test has 3 images, not 4",
        "ask the vet",
        "partial: true",
    ):
        assert part in str(error.value)


def test_or_is_accepted_with_a_warning(prepare):
    meta = prepare(change={"sizes": {"train": 7000, "test": 4}, "n_classes": 37}, partial=True)
    assert meta["partial"] == {"train": {"found": 6, "official": 7000}}
    assert meta["warnings"] == ["split train has 6 images, officially 7,000: its numbers compare with nobody's"]


def test_another_number_of_classes_is_refused(prepare):
    with pytest.raises(UserError, match="task mine: 2 classes in train, pets has 37"):
        prepare(change={"n_classes": 37})


def test_images_that_cannot_be_read_make_it_partial(prepare):
    path = prepare.splits["train"][0].load.args[0]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"task mine: 1 of 10 files cannot be read.*\n  files/train/cat0.png: "):
        prepare()
    meta = prepare(bad=0.1)
    assert meta["partial"] == {"train": {"found": 5, "official": 6}}
    assert [warning.split(";")[0][:26] for warning in meta["warnings"]] == [
        "split train has 5 images, ",
        "1 files could not be read ",
    ]


def test_one_image_of_a_class_is_enough(prepare):
    del prepare.splits["train"][4:]
    meta = prepare(change={"sizes": {"train": 4, "test": 4}})
    assert meta["warnings"] == ["one training image only of class dog"]


def test_another_metric_of_the_same_kind_is_told(prepare):
    assert prepare(metric="top1")["warnings"] == ["its metric is top1, the protocol's mean_per_class"]


def test_a_file_that_was_changed_since_is_refused(prepare):
    def spoil(files):
        Image.new("RGB", (6, 6)).save(files / "train/cat0.png")

    with pytest.raises(UserError, match="such as files/train/cat0.png; run `python -m tools.refresh mine`"):
        prepare(spoil=spoil)


def test_a_file_that_is_changed_while_it_is_read_is_refused(prepare):
    origin, path = prepare.splits["train"][0].origin, prepare.splits["train"][0].load.args[0]

    def late(size):
        Image.new("RGB", (6, 6)).save(path)
        return from_file(path, origin, size)

    prepare.splits["train"][0] = Entry("cat", origin, late)
    with pytest.raises(UserError, match="such as files/train/cat0.png; run `python -m tools.refresh --rehash mine`"):
        prepare()


def test_pictures_that_share_a_file_are_not_held_against_it(prepare):
    image = Image.new("RGB", (6, 6))
    prepare.splits["train"][0] = Entry("cat", "files/batch#0", partial(from_picture, image, "files/batch#0"))
    assert prepare()["n_train"] == 6
