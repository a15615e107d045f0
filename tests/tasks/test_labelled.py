"""How a folder of labelled pictures is laid out, and the split by hash."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.tasks.labelled import check_labelled, splits_of
from sdr.tasks.read_labelled import Split, in_two_splits, read_labelled, split_by_hash


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.rglob("*.png")))
        Image.new("RGB", (20, 20), (number, 7 * number % 256, 0)).save(folder / name)


FLAT = ("a/0.png", "a/deep/1.png", "b/0.png", "b/1.png")
LAYOUTS = {
    "flat": (FLAT, {}, {"all": 4}),
    "splits": ((*(f"train/{n}" for n in FLAT), "val/a/9.png", "test/b/9.png"), {}, {"train": 4, "val": 1, "test": 1}),
    "no test": (tuple(f"train/{n}" for n in FLAT), {}, {"train": 4}),
    "one table": (FLAT, {"labels.csv": "file,label\n" + "".join(f"{n},{n[0]}\n" for n in FLAT)}, {"all": 4}),
    "lists": (
        FLAT,
        {"train.csv": "".join(f"{n},{n[0]}\n" for n in FLAT), "test.csv": "path,labels\na/0.png,a\n"},
        {"train": 4, "test": 1},
    ),
    "a class called train": (("train/0.png", "train/1.png", "car/0.png", "car/1.png"), {}, {"all": 4}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    files, tables, expected = LAYOUTS[layout]
    folder = tmp_path / "my pictures"
    put(folder, *files)
    for name, text in tables.items():
        (folder / name).write_text(text)
    (tmp_path / "pixels").mkdir()
    splits, classes, skipped = read_labelled(folder, 8, 0, tmp_path / "pixels")
    assert {name: len(split) for name, split in splits.items()} == expected and not skipped
    assert classes == (["car", "train"] if "called" in layout else ["a", "b"])
    first = next(iter(splits.values()))
    assert first.images.shape == (4, 8, 8, 3) and sorted(first.targets.tolist()) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("files", "tables", "says"),
    [
        (("train/a/0.png", "train/b/0.png", "test/c/0.png"), {}, "class `c` is in test but not in train"),
        (("test/a/0.png", "test/b/0.png"), {}, "test without train"),
        (("training/a/0.png", "valid/a/1.png"), {}, "training, valid look like splits: call them train, val and test"),
        (("a/0.png",), {}, "1 class folders; it takes two or more"),
        (("0.png",), {}, "0 class folders"),
        (("0.png", "1.png"), {"labels.csv": "file,label\n0.png,a;b\n1.png,c\n"}, "`a;b` is several labels"),
    ],
)
def test_what_cannot_be_learnt_from(tmp_path, files, tables, says):
    put(tmp_path, *files)
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=says):
        check_labelled(tmp_path)


def test_a_table_and_its_folder_may_be_relative(tmp_path, monkeypatch):
    put(tmp_path, *FLAT)
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(f"{n},{n[0]}\n" for n in FLAT))
    (tmp_path / "pixels").mkdir()
    monkeypatch.chdir(tmp_path)
    assert splits_of(Path(".")) == {"all": Path("labels.csv")}
    assert len(read_labelled(Path("."), 8, 0, Path("pixels"))[0]["all"]) == 4


def test_copies_across_splits_and_empty_splits_are_told(tmp_path):
    put(tmp_path / "mine", *(f"{split}/{n}" for split in ("train", "test") for n in FLAT))
    (tmp_path / "mine/test/a/0.png").write_bytes((tmp_path / "mine/train/b/0.png").read_bytes())
    (tmp_path / "pixels").mkdir()
    splits, _, _ = read_labelled(tmp_path / "mine", 8, 0, tmp_path / "pixels")
    assert in_two_splits(splits) == ["1 of 4 pictures of test are in train too: it judges them by themselves"]
    for name in FLAT:
        (tmp_path / "mine/test" / name).write_bytes(b"no picture")
    with pytest.raises(UserError, match="test: no readable picture"):
        read_labelled(tmp_path / "mine", 8, 0.9, tmp_path / "pixels")


def test_split_by_hash_keeps_copies_together_and_each_class_on_both_sides():
    random = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [40, 10, 2])
    hashes = [f"{label}-{random.integers(1 << 40):x}" for label in targets]
    hashes[1] = hashes[0]
    split = Split(np.zeros((52, 1, 1, 3), np.uint8), targets, hashes)
    kept, held = split_by_hash(split, 0.2)
    assert sorted([*kept, *held]) == list(range(52))
    assert np.bincount(targets[held]).tolist() in ([7, 2, 1], [8, 2, 1]) and set(targets[kept]) == {0, 1, 2}
    assert not {hashes[i] for i in kept} & {hashes[i] for i in held}
    order = random.permutation(52)  # files in another order, under other names
    again = split_by_hash(Split(split.images, targets[order], [hashes[i] for i in order]), 0.2)[1]
    assert {hashes[i] for i in held} == {hashes[order[i]] for i in again}
