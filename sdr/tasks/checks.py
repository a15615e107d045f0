"""Whether labelled images make a task: enough of each class in each split, as many as officially, and each once.

And how far raw pixels go in it: the accuracy that features have to beat.
"""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.entries import Entry
from sdr.tasks.readers.reader import Reader, Splits
from sdr.tasks.task import split_labels

NEIGHBOURS = 5
SIDE = 32
MOST_TRAIN, MOST_TEST = 5000, 2000  # evenly spaced images of larger splits


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


def joined_labels(labels: Iterable[str]) -> list[str]:
    """Return the labels that look like several in one text, such as `cat,dog`, sorted.

    Each of their parts is a class by itself, or part of another text with the same separator.
    """
    known = set(labels)
    found = []
    for mark in (",", "|", "/", "+", "&", "\t"):
        parts = {label: [part.strip() for part in label.split(mark)] for label in known if mark in label}
        seen = Counter(part for pieces in parts.values() for part in set(pieces))
        found += [
            label
            for label, pieces in parts.items()
            if all(part and (part in known or seen[part] > 1) for part in pieces)
        ]
    return sorted(set(found))


def spelt_alike(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of labels that differ in case, spaces, hyphens or underscores alone, such as `Red Fox` and `red-fox`."""
    first: dict[str, str] = {}
    pairs = []
    for label in sorted(set(labels)):
        before = first.setdefault(re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", label).casefold(), label)
        pairs += [(before, label)] if before != label else []
    return pairs


def torn(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return pairs of origins of pictures with the same content and different labels.

    Args:
        rows: (origin, sha256, label) of each picture.
    """
    first: dict[str, tuple[str, str]] = {}
    pairs = []
    for origin, sha256, label in rows:
        before = first.setdefault(sha256, (origin, label))
        if before[1] != label:
            pairs.append((before[0], origin))
    return pairs


def raw_knn(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """Return the accuracy in % of 5 nearest neighbours (Euclidean, majority) on raw 32×32 RGB pixels.

    Args:
        train, test: uint8 n×S×S×3.
        train_labels, test_labels: int64 n, class numbers.
    """
    chosen, asked = _spread(len(train), MOST_TRAIN), _spread(len(test), MOST_TEST)
    known, unknown = _pixels(train[chosen]), _pixels(test[asked])
    distances = (known**2).sum(1) - 2 * unknown @ known.T  # the query's own length changes no order
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = train_labels[chosen][nearest]  # n×5
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    counts = np.stack([(votes == label).sum(1) for label in range(classes)], axis=1)
    return float(100 * (counts.argmax(1) == test_labels[asked]).mean())


def _first_outside(entries: list[Entry], classes: Counter, several: bool) -> tuple[str, str] | None:
    """Return (label, origin) of the first image with a label that is none of the classes."""
    pairs = ((label, entry.origin) for entry in entries for label in labels_of(entry, several))
    return next((pair for pair in pairs if pair[0] not in classes), None)


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _pixels(images: np.ndarray) -> np.ndarray:
    """n×S×S×3 uint8 → n×3072 float32 in [0, 1]."""
    small = [Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image, dtype=np.float32).ravel() for image in small]) / 255
