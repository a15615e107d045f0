"""Where tasks come from: a source is a function from the task's name to the labelled entries of its splits."""

import csv
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sdr.data import builtin, location
from sdr.data.entries import Entry, from_file, from_image
from sdr.data.task import SPLITS
from sdr.errors import UserError

Splits = dict[str, list[Entry]]  # an entry's domain is its label here; several are joined by ";"


def from_builtin(name: str, dropped: Counter) -> Splits:
    """Return a built-in task; counts in `dropped` what its near-duplicates were."""
    splits: Splits = {"train": [], "test": []}
    for split, label, origin, image in builtin.examples(name, dropped):
        splits[split].append(Entry(label, origin, partial(from_image, image, origin)))
    return splits


def from_folder(name: str, dropped: Counter) -> Splits:
    """Return the task of $SDR_DATA_TASKS/NAME: SPLIT/CLASS/*, or SPLIT/labels.csv with columns file,label.

    Splits are train and test, and val if it is there. In labels.csv several labels are joined by ";".

    Raises:
        UserError: the task or one of its splits is missing or empty, or labels.csv is not understood.
    """
    root = location.root(location.TASKS) / name
    if not root.is_dir():
        raise UserError(f"task {name}: {root} not found; it should hold train/CLASS/* and test/CLASS/*")
    splits = {}
    for split in SPLITS:
        folder = root / split
        if folder.is_dir():
            read = _table if (folder / "labels.csv").exists() else _classes
            splits[split] = read(root, folder)
        elif split != "val":
            raise UserError(f"task {name}: {folder} not found; it should hold CLASS/*, one folder a class")
    return splits


SOURCES: dict[str, Callable[[str, Counter], Splits]] = {"builtin": from_builtin, "folder": from_folder}


def _classes(root: Path, folder: Path) -> list[Entry]:
    paths = [path for path in location.files(folder) if path.parent != folder]
    return [_entry(root, path, path.relative_to(folder).parts[0]) for path in paths]


def _table(root: Path, folder: Path) -> list[Entry]:
    table = folder / "labels.csv"
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        if not {"file", "label"} <= set(reader.fieldnames or ()):
            raise UserError(f"{table}: no columns file,label in its first line")
        return [_entry(root, folder / row["file"], row["label"]) for row in reader]


def _entry(root: Path, path: Path, label: str) -> Entry:
    origin = path.relative_to(root).as_posix()
    return Entry(label, origin, partial(from_file, path, origin))
