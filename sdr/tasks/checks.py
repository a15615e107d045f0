"""Whether labelled images make a task: enough of each class in each split, and as many as officially."""

from collections import Counter
from collections.abc import Iterable

from sdr.base.errors import UserError
from sdr.corpus.entries import Entry
from sdr.tasks.readers.reader import Reader, Splits
from sdr.tasks.task import split_labels


def labels_of(entry: Entry, several: bool) -> list[str]:
    """Return the labels of an image, which may have several or has exactly one."""
    return split_labels(entry.domain) if several else [entry.domain]


def count(entries: Iterable[Entry], several: bool) -> Counter:
    """Count the images of each class; one with several labels is counted for each."""
    return Counter(label for entry in entries for label in labels_of(entry, several))


def check_sizes(name: str, source: str, reader: Reader, splits: Splits) -> None:
    """Raise UserError if a split lists another number of images than it officially has."""
    wrong = [
        f"split {split} has {found:,} images, not {size:,}" for split, (found, size) in reader.unlike(splits).items()
    ]
    if wrong:
        raise UserError(
            f"task {name}: {'; '.join(wrong)}; complete the files of {source} ({reader.get}), or set "
            f"tasks.{name}.partial: true to go on with numbers that compare with nobody's"
        )


def check_classes(name: str, listed: Splits, kept: Splits, several: bool, official: bool) -> list[str]:
    """Return the sorted classes of a task: those of its training split.

    Args:
        name: the task's name.
        listed: what the splits should hold.
        kept: what of it could be read.
        several: whether an image may have several labels.
        official: a data set of the protocol may have one training image of a class. Neither leave-one-out (that
            image counts as wrong, for every network alike) nor the protocol's random split (which is not
            stratified anyway) breaks then, and its user cannot add any.

    Raises:
        UserError: a split is empty, none of a class's images could be read, there are fewer than two classes, a
            class has too few training images, or one of val or test is not in train.
    """
    counts = {split: count(entries, several) for split, entries in kept.items()}
    for split, found in counts.items():
        if not found:
            what = "label" if kept[split] else "image"
            advice = "add some" if split != "val" else "add some, or remove the split"
            raise UserError(f"task {name}: no {what} in split {split}; {advice}")
        lost = _first_outside(listed[split], found, several)
        if lost:
            raise UserError(
                f"task {name}: no image of class {lost[0]} in split {split} can be read, such as {lost[1]}; "
                "repair them, or remove the class"
            )
    train = counts["train"]
    if len(train) < 2:
        raise UserError(f"task {name}: one class only, {min(train)}; a task needs two or more")
    single = sorted(label for label in train if train[label] < 2)
    if single and not official:
        raise UserError(f"task {name}: one training image only of class {', '.join(single)}; add some")
    for split, entries in kept.items():
        unknown = _first_outside(entries, train, several)
        if unknown:
            raise UserError(
                f"task {name}: class {unknown[0]} is in {split} but not in train, such as {unknown[1]}; correct its "
                "label, or add training images of the class"
            )
    return sorted(train)


def _first_outside(entries: list[Entry], classes: Counter, several: bool) -> tuple[str, str] | None:
    """Return (label, origin) of the first image with a label that is none of the classes."""
    pairs = ((label, entry.origin) for entry in entries for label in labels_of(entry, several))
    return next((pair for pair in pairs if pair[0] not in classes), None)
