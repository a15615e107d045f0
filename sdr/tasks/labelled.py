"""A person's labelled pictures in one folder, whichever of the usual ways it is laid out.

    FOLDER/CLASS/*                       all there is
    FOLDER/{train,val,test}/CLASS/*      splits; val and test may be missing
    FOLDER/{train,val,test}/labels.csv   columns file,label
    FOLDER/{train,val,test}.csv          columns path,labels
    FOLDER/labels.csv                    columns file,label: all there is

Nothing here is slow to import: commands look at a folder before they load anything else.
"""

import csv
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import normal
from sdr.corpus.walk import hidden

SPLITS = ("train", "val", "test")
SPLIT_NAMES = frozenset((*SPLITS, "training", "valid", "validation", "dev", "testing"))


def splits_of(folder: Path) -> dict[str, Path]:
    """Where the splits of a folder lie: {split: folder or table}; {"all": …} where it has none.

    Raises:
        UserError: it has a val or test split but no train split, or splits of other names.
    """
    found = {}
    for split in SPLITS:
        table = folder / f"{split}.csv"
        if table.is_file():
            found[split] = table
        elif (folder / split / "labels.csv").is_file():
            found[split] = folder / split / "labels.csv"
        elif (folder / split).is_dir() and classes_of(folder / split):  # else it is a class called "train", say
            found[split] = folder / split
    if found and "train" not in found:
        raise UserError(
            f"{folder}: {' and '.join(found)} without train; add the split train, or give that folder alone"
        )
    table = folder / "labels.csv"
    if not found and not table.is_file() and (splits := splits_taken_for_classes(folder)):
        raise UserError(f"{folder}: {', '.join(splits)} look like splits: call them train, val and test")
    return found or {"all": table if table.is_file() else folder}


def classes_of(place: Path) -> list[str]:
    """The classes of one split, sorted, by its folders' names or its table; nothing is read but that."""
    if place.is_dir():
        return sorted({normal(path.name) for path in class_places(place)})
    with place.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    column = columns_of(place)[1]
    where = head.index(column) if column in head else 1  # a list of paths and labels may do without a first line
    if column not in head:
        rows = [head, *rows]
    return sorted({normal(row[where].strip()) for row in rows if len(row) > where} - {""})


def class_places(folder: Path) -> list[Path]:
    """The sub-folders that stand for classes, sorted."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not hidden(path.name))


def splits_taken_for_classes(folder: Path) -> list[str]:
    """Return the sub-folders of a folder that are splits and not classes, such as train and test; mostly there are none.

    They are if they are called so and hold folders themselves. One alone among other folders may be a class.
    """
    places = class_places(folder)
    splits = [place.name for place in places if place.name.lower() in SPLIT_NAMES and class_places(place)]
    return splits if len(splits) > 1 or len(splits) == len(places) else []


def columns_of(table: Path) -> tuple[str, str]:
    """The columns with pictures and labels, by the table's name."""
    return ("file", "label") if table.name == "labels.csv" else ("path", "labels")


def check_labelled(folder: Path) -> dict[str, Path]:
    """Return `splits_of` a folder after a look at its classes.

    Raises:
        UserError: fewer than two classes, a class of val or test that train has not, or one of several labels.
    """
    places = splits_of(folder)
    classes = {split: classes_of(place) for split, place in places.items()}
    first = next(iter(places))
    if len(classes[first]) < 2:
        what = "class folders" if places[first].is_dir() else "classes"
        raise UserError(
            f"{places[first]}: {len(classes[first])} {what}; it takes two or more, CLASS/* with pictures each"
        )
    for split, names in classes.items():
        several = [name for name in names if ";" in name]
        if several:
            raise UserError(
                f"{places[split]}: `{several[0]}` is several labels; a classifier of one an image is made here"
            )
        unknown = sorted(set(names) - set(classes[first]))
        if unknown:
            raise UserError(
                f"{places[split]}: class `{unknown[0]}` is in {split} but not in {first}; correct its name, or add "
                f"pictures of it to {first}"
            )
    return places
