import json

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.records import write_records
from sdr.corpus.store import FILE
from sdr.corpus.thumbnail import FILE as THUMBNAILS
from sdr.corpus.thumbnail import thumbnail, to_bytes
from sdr.sources.watched import take
from sdr.tasks import in_corpus
from sdr.tasks.files import look
from sdr.tasks.prepare_task import prepare_task
from sdr.tasks.task import Task, TaskSpec

GREYS = {"ant": 40, "bee": 200}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_DATA_TASKS", str(tmp_path / "tasks"))
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "tasks").mkdir()
    return tmp_path / "tasks" / "insects"


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def _fill(root, split, count, start=0):
    for label, grey in GREYS.items():
        (root / split / label).mkdir(parents=True, exist_ok=True)
        for index in range(start, start + count):
            Image.new("RGB", (12, 10), (grey, index, 0)).save(root / split / label / f"{index}.png")


def _prepare(target, metric="top1", bad=0.0, source="folder"):
    spec = TaskSpec(source=source, metric=metric)
    return prepare_task("insects", spec, 8, bad, take(look("insects", spec)), target)


def test_a_folder_becomes_a_task(root, target):
    _fill(root, "train", 6)
    _fill(root, "test", 3, start=50)
    meta = _prepare(target)
    task = Task.open(target)
    assert meta == json.loads((target / "meta.json").read_text()) == task.meta
    assert (task.name, task.metric, task.classes, task.multilabel) == (
        "insects",
        "top1",
        ["ant", "bee"],
        False,
    )
    assert not task.has_val
    assert (meta["n_train"], meta["n_val"], meta["n_test"]) == (12, 0, 6)
    assert (meta["chance"], meta["largest_class"], meta["raw_knn"]) == (50.0, 50.0, 100.0)
    assert meta["overlap"] == {"train-test": 0} and meta["duplicates"] == {"train": 0, "test": 0}
    assert (meta["size"], meta["partial"], meta["skipped"], meta["warnings"]) == (8, {}, [], [])
    for split in ("train", "test"):
        images, targets = task.images(split), task.targets(split)
        assert images.shape[1:] == (8, 8, 3) and targets.dtype == np.int64
        np.testing.assert_array_equal(images[:, 0, 0, 0], np.array([40, 200])[targets])
    assert task.origins["train"][0] == "insects/train/ant/0.png"


def test_a_validation_split_is_taken_and_overlaps_are_counted(root, target):
    _fill(root, "train", 4)
    _fill(root, "val", 3, start=2)  # two of each class are also in train
    _fill(root, "test", 3, start=4)  # one of each class is also in val
    meta = _prepare(target)
    assert Task.open(target).has_val
    assert len(Task.open(target).targets("val")) == 6
    assert meta["overlap"] == {"train-val": 4, "train-test": 0, "val-test": 2}
    ant, bee = ([f"insects/{split}/{label}/4.png" for split in ("val", "test")] for label in GREYS)
    assert meta["overlap_examples"]["val-test"] == [ant, bee]
    assert f"2 images are in both splits of val-test, such as {ant[0]} and {ant[1]}" in meta["warnings"]


def test_copies_inside_a_split_are_counted(root, target):
    _fill(root, "train", 4)
    _fill(root, "test", 3, start=50)
    (root / "train/ant/copy.png").write_bytes((root / "train/ant/2.png").read_bytes())
    meta = _prepare(target)
    assert meta["duplicates"] == {"train": 1, "test": 0} and meta["n_train"] == 9
    assert meta["duplicate_examples"] == {"train": [["insects/train/ant/2.png", "insects/train/ant/copy.png"]]}


def test_several_labels_come_from_a_table(root, target):
    for split in ("train", "test"):
        _fill(root, split, 3)
        rows = [f"{label}/{index}.png,{'ant;bee' if index == 0 else label}" for label in GREYS for index in range(3)]
        (root / split / "labels.csv").write_text("\n".join(["file,label", *rows]))
    meta = _prepare(target, metric="map")
    targets = Task.open(target).targets("train")
    assert meta["multilabel"] and meta["raw_knn"] is None
    np.testing.assert_array_equal(targets[:4], [[1, 1], [1, 0], [1, 0], [1, 1]])


def test_lists_make_a_task(root, target):
    """Of one label or of several; a picture without any label stays."""
    _fill(root, "pictures", 6)
    rows = [f"pictures/{label}/{index}.png,{label}" for label in GREYS for index in range(6)]
    (root / "train.csv").write_text("\n".join([*rows[:4], *rows[6:10]]))
    (root / "val.csv").write_text("path,labels\n" + "\n".join([rows[4], rows[10]]))
    (root / "test.csv").write_text("path,labels\n" + "\n".join([rows[5], rows[11]]))
    (root / "classes.txt").write_text("bee\nant\n")
    meta = _prepare(target, source="csv")
    assert (meta["n_train"], meta["n_val"], meta["n_test"]) == (8, 2, 2)
    assert (meta["classes"], meta["raw_knn"]) == (["ant", "bee"], 100.0)

    with (root / "train.csv").open("a") as file:
        file.write("\npictures/ant/5.png,\n")
    _prepare(target, source="csv", metric="map")
    targets = Task.open(target).targets("train")
    np.testing.assert_array_equal(targets, [[1, 0]] * 4 + [[0, 1]] * 4 + [[0, 0]])


def test_a_class_that_no_training_line_has_is_told(root, target):
    _fill(root, "pictures", 6)
    for split in ("train", "test"):
        rows = [f"pictures/{label}/{index}.png,{label}" for label in GREYS for index in range(6)]
        (root / f"{split}.csv").write_text("\n".join(rows))
    (root / "classes.txt").write_text("bee\ncow\nant\n")
    with pytest.raises(UserError, match="classes.txt: class `cow` has no picture in train.csv"):
        _prepare(target, source="csv")
    (root / "test.csv").unlink()
    with pytest.raises(UserError, match="test.csv not found; it should list pictures, a line each"):
        _prepare(target, source="csv")


def test_a_table_without_its_columns_is_refused(root, target):
    _fill(root, "train", 3)
    _fill(root, "test", 3)
    (root / "test/labels.csv").write_text("name;class\n")
    with pytest.raises(UserError, match="labels.csv:1: no columns file,label"):
        _prepare(target)


def _only_one_class(root):
    for split in ("train", "test"):
        for path in (root / split / "bee").iterdir():
            path.unlink()
        (root / split / "bee").rmdir()


def _one_image(root):
    for index in (1, 2, 3):
        (root / f"train/bee/{index}.png").unlink()


def _unknown_class(root):
    (root / "test/bee").rename(root / "test/cow")


def _no_test(root):
    for path in root.glob("test/*/*"):
        path.unlink()
    for path in (*root.glob("test/*"), root / "test"):
        path.rmdir()


def _empty_test(root):
    _no_test(root)
    (root / "test").mkdir()


def _empty_val(root):
    (root / "val").mkdir()


def _empty_class(root):
    (root / "train/cow").mkdir()
    (root / "train/cow/.gitkeep").touch()


def _no_readable_image(root):
    for index in range(3):
        (root / f"test/bee/{index}.png").write_text("no picture")


def _class_with_semicolon(root):
    (root / "train/bee").rename(root / "train/bee;wasp")


def _no_task(root):
    root.rename(root.with_name("birds"))


def _bad_file(root):
    (root / "train/bee/1.png").write_text("no picture")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_only_one_class, "one class only, ant"),
        (_one_image, "one training image only of class bee"),
        (_unknown_class, "class cow is in test but not in train, such as insects/test/cow/0.png"),
        (_no_test, "test not found; it should hold CLASS/"),
        (_empty_test, "no image in split test; add some$"),
        (_empty_val, "no image in split val; add some, or remove the split"),
        (_empty_class, "train/cow: this class folder is empty; put images into it or remove it"),
        (_class_with_semicolon, "train/bee;wasp: a class's name cannot hold a `;`"),
        (_no_task, "insects not found; it should hold train/CLASS"),
        (_bad_file, "1 of 14 files cannot be read(.|\n)*insects/train/bee/1.png: not an image"),
    ],
)
def test_what_is_no_task_says_why(root, target, spoil, message):
    _fill(root, "train", 4)
    _fill(root, "test", 3)
    spoil(root)
    with pytest.raises(UserError, match=message):
        _prepare(target)


def test_bad_files_within_the_share_are_skipped(root, target):
    _fill(root, "train", 4)
    _fill(root, "test", 3)
    _bad_file(root)
    meta = _prepare(target, bad=0.1)
    assert meta["n_train"] == 7 and meta["skipped"] == ["insects/train/bee/1.png: not an image"]
    assert meta["warnings"][0].startswith("1 files could not be read and were left out, such as insects/train")


def test_a_class_without_any_readable_image_is_told_whatever_the_share(root, target):
    _fill(root, "train", 40)
    _fill(root, "test", 3)
    _no_readable_image(root)
    with pytest.raises(UserError, match="no image of class bee in split test can be .* insects/test/bee/0.png"):
        _prepare(target, bad=0.5)


def test_no_label_at_all_in_a_split_is_told(root, target):
    _fill(root, "pictures", 3)
    rows = [f"pictures/{label}/{index}.png,{label}" for label in GREYS for index in range(3)]
    (root / "train.csv").write_text("\n".join(rows))
    (root / "test.csv").write_text("pictures/ant/0.png,\n")
    with pytest.raises(UserError, match="no label in split test"):
        _prepare(target, source="csv", metric="map")


def test_unknown_names_list_the_known_ones(root, target):
    with pytest.raises(UserError, match="tasks.insects.source: ftp is none of builtin, folder, csv, aircraft"):
        _prepare(target, source="ftp")
    with pytest.raises(UserError, match="tasks.insects: no built-in task of that name; there are photographs"):
        _prepare(target, source="builtin")
    with pytest.raises(UserError, match="tasks.insects: `download` and `partial` are for data sets of the"):
        look("insects", TaskSpec(source="folder", metric="top1", download=True))


def test_pictures_saved_again_are_named_between_splits_and_with_the_corpus(root, target, tmp_path):
    rng = np.random.default_rng(0)
    for label in GREYS:
        for split in ("train", "test"):
            (root / split / label).mkdir(parents=True)
        for index in range(4):
            coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
            coarse.resize((60, 60), 3).save(root / f"train/{label}/{index}.png")
            if index < 2:
                coarse.resize((60, 60), 3).resize((44, 44)).save(root / f"test/{label}/again{index}.jpg", quality=80)
    spec = TaskSpec(source="folder", metric="top1")
    looks = [thumbnail(Image.open(root / "train/bee/3.png")), None]
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_records(corpus / FILE, {"origin": "string"}, [("album/x.png",), ("album/blank.png",)])
    (corpus / THUMBNAILS).write_bytes(b"".join(to_bytes(look).tobytes() for look in looks))
    meta = prepare_task("insects", spec, 8, 0.0, take(look("insects", spec)), target)
    assert meta["overlap"] == {"train-test": 0}
    assert meta["look_alikes"] == {"train-test": 4, "train": 0, "test": 0}
    assert meta["look_alike_examples"]["train-test"][0] == [
        f"insects/{n}" for n in ("train/ant/0.png", "test/ant/again0.jpg")
    ]
    assert sum("look like another one" in warning for warning in meta["warnings"]) == 1
    alike = in_corpus.in_corpus(target, corpus)
    assert alike == {"train": [("album/x.png", "insects/train/bee/3.png")], "test": []}
    assert in_corpus.report(alike) == {
        "in_corpus": {"train": 1, "test": 0},
        "in_corpus_examples": {"train": [["album/x.png", "insects/train/bee/3.png"]]},
    }
    assert ["1 pictures of train look like one of the corpus" in line for line in in_corpus.warnings(alike)] == [True]


def test_without_a_corpus_or_thumbnails_nothing_is_compared(root, target, tmp_path):
    assert in_corpus.in_corpus(target, tmp_path / "nowhere") == {} == in_corpus.report({})


def test_classes_of_two_unicode_forms_are_one_and_joined_labels_are_named(root, target):
    for split, cafe in (("train", "caf\u00e9"), ("test", "cafe\u0301")):
        for label in (cafe, "bar", f"{cafe},bar"):
            (root / split / label).mkdir(parents=True)
            for index in range(2):
                name = hash((split, label, index)) % 200
                Image.new("RGB", (9, 9), (name, index, len(label))).save(root / split / label / f"{index}.png")
    meta = _prepare(target)
    assert meta["classes"] == ["bar", "caf\u00e9", "caf\u00e9,bar"]
    assert any("1 labels look like several in one, such as `caf\u00e9,bar`" in warning for warning in meta["warnings"])
