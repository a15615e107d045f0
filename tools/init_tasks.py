"""Tasks in a folder: what each sub-folder, or the folder itself, is as a task of the pipeline, and what is wrong with it."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError
from sdr.base.names import LONGEST
from sdr.sources.look import copies
from sdr.tasks.labelled import classes_of, columns_of, splits_of
from tools.init_detection import find_detection

_NAMED = {"all": "pictures"}  # splits
TEST_FRACTION = 0.2  # that is held out where a task has no test split


@dataclass(frozen=True)
class Found:
    """One task.

    Attributes:
        name: in params.yaml.
        section: "tasks", or "detection" of a set of pictures with boxes.
        spec: its entry there.
        says: what it is, in words.
        n_train: pictures, about.
        wrong: what stops it.
        remarks: what does not.
    """

    name: str
    spec: dict[str, Any]
    says: str
    n_train: int
    wrong: list[str]
    remarks: list[str]
    section: str = "tasks"


def find_tasks(folder: Path) -> tuple[Path, list[Found]]:
    """Look for tasks.

    Args:
        folder: one task, or a sub-folder for each.

    Returns:
        the root of the tasks, for $SDR_DATA_TASKS, and the tasks, sorted.

    Raises:
        UserError: there is none.
    """
    folder = folder.absolute()
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if _is_task(folder) or (inside and not any(map(_is_task, inside))):
        return folder.parent, [_look(folder)]
    if not inside:
        raise UserError(
            f"{folder}: no task in it; it should hold a folder for each task, NAME/train/CLASS/* and NAME/test/CLASS/*, "
            "or be one itself"
        )
    return folder, [_look(path) for path in inside]


def _is_task(folder: Path) -> bool:
    """Whether a folder has boxes, splits, a table of labels, or class folders that hold files."""
    if find_detection(folder):
        return True
    if any((folder / name).is_dir() and classes_of(folder / name) for name in ("train", "test")):
        return True
    if (
        any((folder / name).is_file() for name in ("train.csv", "labels.csv"))
        or (folder / "train/labels.csv").is_file()
    ):
        return True
    holding = [path for path in folder.iterdir() if path.is_dir() and any(child.is_file() for child in path.iterdir())]
    return len(holding) > 1 and not any(_is_task(path) for path in holding)


def _look(folder: Path) -> Found:
    spec: dict[str, Any]
    name = re.sub(r"[^A-Za-z0-9_-]+|__+", "-", folder.name).strip("-")[:LONGEST]
    name = f"task-{name}" if not name or name.isdigit() else name
    if detection := find_detection(folder):
        spec, says, wrong = detection
        remark = f"{folder.name}: an estimate leaves the training of its detector out"
        return Found(name, spec, says, 0, wrong, [remark], "detection")
    spec = {"source": "folder", "metric": "top1"}
    if name != folder.name:
        spec["folder"] = folder.name
    wrong, remarks = [], []
    try:
        places = splits_of(folder)
    except UserError as error:
        return Found(name, spec, "", 0, [str(error)], [])
    if any(place.parent == folder and place.suffix == ".csv" and place.stem in places for place in places.values()):
        spec["source"] = "csv"
    first = next(iter(places))
    classes = {split: classes_of(place) for split, place in places.items()}
    several = not places[first].is_dir() and any(";" in label for label in classes[first])
    if several:
        spec["metric"] = "map"
        classes = {
            s: sorted({one.strip() for label in c for one in label.split(";")} - {""}) for s, c in classes.items()
        }
    if len(classes[first]) < 2:
        wrong.append(f"{folder}: {len(classes[first])} class; a task needs two or more")
    for split, names in classes.items():
        if unknown := sorted(set(names) - set(classes[first])):
            wrong.append(
                f"{places[split]}: class `{unknown[0]}` is in {split} but not in {first}; correct its name, or add "
                f"pictures of it to {first}"
            )
    counts = {split: _count(place) for split, place in places.items()}
    if "test" not in places:
        spec["test_fraction"] = TEST_FRACTION
        remarks.append(
            f"{folder.name} has no test split: {TEST_FRACTION:.0%} of each class, by the hash of a file's name, will be "
            "its test images (test_fraction); put pictures into test/CLASS/ to choose them yourself"
        )
    per_class = _per_class(places[first])
    lone = sorted(label for label, n in per_class.items() if n < (3 if "test" not in places else 2))
    if lone:
        wrong.append(
            f"{places[first]}: {per_class[lone[0]]} picture of class {lone[0]}; a class needs more to learn from"
        )
    shared = _shared(folder, places)
    if shared:
        remarks.append(f"{folder.name}: {len(shared)} pictures are in two splits, such as {' and '.join(shared[0])}")
    says = (
        f"{len(classes[first])} classes, {', '.join(f'{n:,} {_NAMED.get(split, split)}' for split, n in counts.items())}"
        + (", several labels a picture" if several else "")
        + (", from a CSV" if not places[first].is_dir() else "")
    )
    return Found(name, spec, says, counts[first], wrong, remarks)


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not any(part[0] == "." for part in p.parts[1:]))


def _count(place: Path) -> int:
    return sum(_per_class(place).values()) if place.is_dir() else len(_labels(place))


def _per_class(place: Path) -> Counter:
    if place.is_dir():
        return Counter({name: len(_pictures(place / name)) for name in classes_of(place)})
    return Counter(one.strip() for joined in _labels(place) for one in joined.split(";") if one.strip())


def _labels(table: Path) -> list[str]:
    """The labels of each line of a table, joined as they are."""
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    column = columns_of(table)[1]
    where = head.index(column) if column in head else 1
    return [row[where] for row in (rows if column in head else [head, *rows]) if len(row) > where]


def _shared(folder: Path, places: dict[str, Path]) -> list[tuple[str, str]]:
    """Pairs of copies in different splits, where these are folders."""
    splits = [place for place in places.values() if place.is_dir()]
    if len(splits) < 2:
        return []
    files = [path for place in splits for path in _pictures(place)]
    pairs = copies(folder, files, [path.stat().st_size for path in files])
    return [pair for pair in pairs if Path(pair[0]).parts[0] != Path(pair[1]).parts[0]]
