"""Where tasks come from: the labelled entries of each split, by the source that `tasks` names."""

from collections import Counter
from functools import partial
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import shown
from sdr.corpus import location
from sdr.corpus.entries import Entry
from sdr.sources import builtin
from sdr.tasks.class_folders import class_entries
from sdr.tasks.files import reader_of
from sdr.tasks.hold_out_test import hold_out_test
from sdr.tasks.image import from_picture
from sdr.tasks.labelled import splits_taken_for_classes
from sdr.tasks.lists import read_classes, read_list
from sdr.tasks.readers.reader import Splits
from sdr.tasks.task import SPLITS, TaskSpec, split_labels


def read_splits(name: str, spec: TaskSpec, dropped: Counter, remarks: list[str] | None = None) -> Splits:
    """Return the labelled entries of a task's splits: train, test, and val where there is one.

    The origin of a file is its path relative to $SDR_DATA_TASKS, as in the task's manifest.

    Args:
        name: the task's name in `tasks`.
        spec: its entry there.
        dropped: counts what a built-in task leaves out.
        remarks: is told what of a person's own folders was left out.

    Raises:
        UserError: the task or one of its splits is missing, empty, or not laid out as its source asks for.
    """
    reader = reader_of(name, spec)
    if spec.source == "builtin":
        return _builtin(name, dropped)
    root = location.root(location.TASKS)
    if reader is not None:
        return reader.read(root)
    remarks = [] if remarks is None else remarks
    read = _lists if spec.source == "csv" else partial(_folders, remarks)
    splits = read(root / (spec.folder or name), spec.metric == "map", spec.test_fraction is not None)
    if spec.test_fraction is None:
        return splits
    if "test" in splits:
        raise UserError(f"tasks.{name}: it has a test split of its own; remove `test_fraction`, or the split")
    splits["train"], splits["test"] = hold_out_test(splits["train"], spec.test_fraction)
    return splits


def _builtin(name: str, dropped: Counter) -> Splits:
    splits: Splits = {"train": [], "test": []}
    for split, label, origin, image in builtin.examples(name, dropped):
        splits[split].append(Entry(label, origin, partial(from_picture, image, origin)))
    return splits


def _lists(top: Path, several: bool, test_held_out: bool) -> Splits:
    """Read train.csv, test.csv and maybe val.csv; classes.txt, if it is there, says which classes there are."""
    classes = read_classes(top / "classes.txt")
    splits = {}
    for split in SPLITS:
        table = top / f"{split}.csv"
        if table.exists():
            splits[split] = read_list(table, ("path", "labels"), top, several, classes)
        elif split != "val" and not (split == "test" and test_held_out):
            raise UserError(
                f"task {top.name}: {table} not found; it should list pictures, a line each: path,label1;label2"
            )
    absent = (classes or set()).difference(*(split_labels(entry.domain) for entry in splits["train"]))
    if absent:
        raise UserError(f"{top / 'classes.txt'}: class `{min(absent)}` has no picture in train.csv")
    return splits


def _folders(remarks: list[str], top: Path, several: bool, test_held_out: bool) -> Splits:
    """Read SPLIT/CLASS/*, or SPLIT/labels.csv with columns file,label; without any split, and none needed, the same at the top."""
    splits = {}
    for split in SPLITS:
        folder = top / split
        if split == "train" and test_held_out and not folder.is_dir():
            folder = top
        table = folder / "labels.csv"
        if table.exists():
            splits[split] = read_list(table, ("file", "label"), top, several, None)
        elif folder.is_dir():
            if inner := splits_taken_for_classes(folder):
                raise UserError(
                    f"task {top.name}: {shown(folder)} holds splits, {', '.join(map(shown, inner))}, not classes"
                )
            splits[split] = class_entries(folder, top.parent, remarks)
        elif split != "val" and not (split == "test" and test_held_out):
            raise UserError(f"task {top.name}: {folder} not found; it should hold CLASS/*, one folder a class")
    return splits
