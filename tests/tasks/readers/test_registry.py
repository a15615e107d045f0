import numpy as np
import pytest

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import Skipped, read_all
from sdr.sources.watched import take
from sdr.tasks.files import look
from sdr.tasks.prepare_task import prepare_task
from sdr.tasks.readers.registry import READERS
from sdr.tasks.task import Task, TaskSpec, encode
from tests.tasks.readers.trees import TREES, colour

# The many-shot protocol: metric, classes, official images of train, val and test.
PROTOCOL = {
    "aircraft": ("mean_per_class", 100, 3334, 3333, 3333),
    "caltech101": ("mean_per_class", 102, 2416, None, 6728),
    "cars": ("top1", 196, 8144, None, 8041),
    "cifar10": ("top1", 10, 50000, None, 10000),
    "cifar100": ("top1", 100, 50000, None, 10000),
    "dtd": ("top1", 47, 1880, 1880, 1880),
    "flowers": ("mean_per_class", 102, 1020, 1020, 6149),
    "food": ("top1", 101, 75750, None, 25250),
    "pets": ("mean_per_class", 37, 3680, None, 3669),
    "sun397": ("top1", 397, 19850, None, 19850),
    "voc2007": ("map", 20, 2501, 2510, 4952),
}
of_each = pytest.mark.parametrize("name", PROTOCOL)


def test_there_are_the_eleven():
    assert sorted(READERS) == sorted(PROTOCOL) == sorted(TREES)


@of_each
def test_facts_are_the_protocols(name):
    metric, n_classes, train, val, test = PROTOCOL[name]
    reader = READERS[name]
    assert (reader.metric, reader.n_classes) == (metric, n_classes)
    sizes = {"train": train, "val": val, "test": test}
    assert reader.sizes == {split: size for split, size in sizes.items() if size is not None}
    assert (reader.side == 32) == name.startswith("cifar")
    assert (reader.download is None) == (name in ("cars", "sun397"))


@of_each
def test_the_official_layout_is_read(name, tmp_path, monkeypatch):
    expected = TREES[name](tmp_path, monkeypatch)
    splits = READERS[name].read(tmp_path)
    assert {split: [(entry.domain, entry.origin) for entry in entries] for split, entries in splits.items()} == expected
    for entries in splits.values():
        skipped = Skipped(0, name)
        for entry, loaded in read_all(entries, 8, skipped):
            assert loaded.pixels.shape == (8, 8, 3)
            difference = loaded.pixels.astype(int) - colour(entry.origin)
            assert np.abs(difference).max() <= 3, entry.origin  # JPEG
        assert skipped.reasons == []


@of_each
def test_all_that_is_read_is_in_the_folders_of_the_manifest(name, tmp_path, monkeypatch):
    TREES[name](tmp_path, monkeypatch)
    reader = READERS[name]
    assert all((tmp_path / folder).exists() for folder in reader.folders)
    listed = [tmp_path / folder for folder in reader.folders]
    for entries in reader.read(tmp_path).values():
        for entry in entries:
            file = tmp_path / entry.origin
            if not name.startswith("cifar"):
                assert any(file.is_relative_to(folder) for folder in listed)
    for path in sorted(tmp_path.rglob("*")):  # whatever else was there is not needed
        if path.is_file() and not any(path.is_relative_to(folder) for folder in listed):
            path.unlink()
    assert reader.read(tmp_path)


@of_each
def test_an_empty_root_says_what_to_put_there(name, tmp_path):
    reader = READERS[name]
    with pytest.raises(UserError) as caught:
        reader.read(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"data set {name}: ")
    assert f"not found in {tmp_path} (SDR_DATA_TASKS)" in message
    assert all(folder in message for folder in reader.folders)
    assert message.endswith(reader.get)


@pytest.mark.parametrize("name", [name for name in PROTOCOL if not name.startswith("cifar")])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_listed_picture_that_is_not_there_is_named_with_its_list(name, split, tmp_path, monkeypatch):
    origin = TREES[name](tmp_path, monkeypatch)[split][-1][1]
    (tmp_path / origin).unlink()
    with pytest.raises(UserError) as caught:
        READERS[name].read(tmp_path)
    message = str(caught.value)
    assert "1 of the" in message and str(tmp_path / origin) in message
    label_file = message.partition(": ")[0]
    assert label_file.endswith((".txt", ".mat", ".json")) and label_file.startswith(str(tmp_path))


@pytest.mark.parametrize("name", [name for name in PROTOCOL if not name.startswith("cifar")])
def test_a_damaged_picture_is_skipped_by_name(name, tmp_path, monkeypatch):
    expected = TREES[name](tmp_path, monkeypatch)
    cut, text = (origin for _, origin in expected["train"][:2])
    (tmp_path / cut).write_bytes((tmp_path / cut).read_bytes()[:-40])
    (tmp_path / text).write_text("no picture")
    skipped = Skipped(1, name)
    read = [entry.origin for entry, _ in read_all(READERS[name].read(tmp_path)["train"], 8, skipped)]
    assert read == [origin for _, origin in expected["train"][2:]]
    assert [reason.partition(": ")[0] for reason in skipped.reasons] == [cut, text]


@of_each
def test_splits_of_other_sizes_are_told(name, tmp_path, monkeypatch):
    splits = TREES[name](tmp_path, monkeypatch)
    reader = READERS[name]
    assert reader.unlike(reader.read(tmp_path)) == {
        split: (len(splits[split]), size) for split, size in reader.sizes.items()
    }
    assert reader.unlike({split: [None] * size for split, size in reader.sizes.items()}) == {}


def test_no_label_of_voc_becomes_a_row_of_flags_that_are_all_off(tmp_path, monkeypatch):
    TREES["voc2007"](tmp_path, monkeypatch)
    labels = [entry.domain for entry in READERS["voc2007"].read(tmp_path)["train"]]
    assert labels == ["car", "horse;person", ""]
    targets = encode(labels, ["bottle", "car", "horse", "person"], multilabel=True)
    np.testing.assert_array_equal(targets, [[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]])


@of_each
def test_it_becomes_a_task(name, tmp_path, monkeypatch):
    root, target = tmp_path / "tasks", tmp_path / "out"
    monkeypatch.setenv(location.TASKS, str(root))
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    root.mkdir()
    target.mkdir()
    expected = TREES[name](root, monkeypatch)
    spec = TaskSpec(source=name, metric=PROTOCOL[name][0], partial=True)
    prepare_task(name, spec, 40, 0.0, take(look(name, spec)), target)
    task = Task.open(target)
    side = 32 if name.startswith("cifar") else 40
    for split, pictures in expected.items():
        labels = [label for label, _ in pictures]
        assert task.images(split).shape == (len(pictures), side, side, 3)
        np.testing.assert_array_equal(task.targets(split), encode(labels, task.classes, task.multilabel))
