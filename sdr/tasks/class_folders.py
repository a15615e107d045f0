"""ClassFolders pictures in a folder of class sub-folders, FOLDER/CLASS/*: a split of a task, or all there is."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.base.shown import normal, shown
from sdr.corpus.entries import Entry, Skipped, read_all
from sdr.corpus.walk import Found, walk
from sdr.tasks.checks import torn
from sdr.tasks.copies import apart, first_of_each, look_alikes_within
from sdr.tasks.copies import said as told
from sdr.tasks.image import from_file
from sdr.tasks.labelled import class_places, splits_taken_for_classes
from sdr.tasks.pack import Pack


@dataclass(frozen=True)
class ClassFolders:
    """Pictures of class folders.

    Attributes:
        images: `N×S×S×3` uint8, memory-mapped.
        targets: int64 N.
        classes: the C names, sorted, in one Unicode form.
        paths: N, relative to the folder.
        hashes: N, SHA-256 of the files.
        thumbnails: N, `sdr.corpus.thumbnail` each.
        remarks: what is to be known of them, a sentence each.
    """

    images: np.ndarray
    targets: np.ndarray
    classes: list[str]
    paths: list[str]
    hashes: list[str]
    thumbnails: list[np.ndarray | None]
    remarks: list[str]


def class_entries(folder: Path, root: Path, remarks: list[str] | None = None) -> list[Entry]:
    """Return the pictures below each class folder, the class as their domain.

    Args:
        folder: holds the class folders. Two whose names differ only in their Unicode form are one class.
        root: what origins are relative to.
        remarks: is told what was left out, a sentence each.

    Raises:
        UserError: a class folder is empty, or its name cannot be a label.
    """
    found, places = walk(folder), class_places(folder)
    for place in places:
        if ";" in place.name:
            raise UserError(f"{shown(place)}: a class's name cannot hold a `;`, which separates labels; rename it")
    entries = list(_entries(found, folder, root, {place.name for place in places}))
    filled = {Path(entry.origin).relative_to(folder.relative_to(root)).parts[0] for entry in entries}
    for place in places:
        if place.name not in filled:
            why = "leads to pictures of another class" if place.is_symlink() and any(place.iterdir()) else "is empty"
            raise UserError(f"{shown(place)}: this class folder {why}; put images into it or remove it")
    if remarks is not None:
        beside = len(found.files) - len(entries)
        remarks += found.remarks()
        remarks += [f"{beside:,} files lie in no class folder of {shown(folder)}, and were left out"] if beside else []
    return entries


def read_class_folders(
    folder: Path, size: int, max_bad_fraction: float, target: Path, *, fewest: int = 2, least: int = 2
) -> ClassFolders:
    """Read the pictures as a task's are read: short side to `size`, centre crop.

    Args:
        folder: holds a sub-folder a class; pictures may lie deeper in it.
        size: side S of the result, pixels.
        max_bad_fraction: share of unreadable files that are left out.
        target: file to keep the pixels in, NAME.npy, in an existing folder.
        fewest: classes that there must be.
        least: readable pictures that a class must have.

    Raises:
        UserError: no such folder, splits in place of classes, too few classes, an empty one, one with too few readable
            pictures, or too many unreadable files.
    """
    if not folder.is_dir():
        raise UserError(f"{shown(folder)}: not found; it should hold a folder for each class, with its pictures")
    if splits := splits_taken_for_classes(folder):
        raise UserError(
            f"{shown(folder)}: {' and '.join(map(shown, splits))} are splits of a task and no classes; "
            f"give one of them: {shown(folder / splits[-1])}"
        )
    places = class_places(folder)
    if len(places) < fewest:
        raise UserError(
            f"{shown(folder)}: {len(places)} class folders; it should hold at least {fewest}, CLASS/*, with pictures"
        )
    remarks: list[str] = []
    entries = class_entries(folder, folder, remarks)
    return _read(folder, entries, remarks, size, max_bad_fraction, target, least)


def without_copies(found: ClassFolders) -> tuple[ClassFolders, list[str]]:
    """Leave out what has the content of an earlier picture, or looks like one of its class, so that no picture is judged by its
    copy; say how many.

    Pictures of two classes that look alike stay, and are told of.

    Raises:
        UserError: a class has no two different pictures.
    """
    rows = first_of_each(found.hashes)
    kept = _chosen(found, rows)
    counts = np.bincount(kept.targets, minlength=len(found.classes))
    if counts.min() < 2:
        raise UserError(
            f"{shown(found.classes[counts.argmin()])}: all pictures of this class have the same content, or that of another "
            "class's; it needs two different ones"
        )
    said = []
    if copies := len(found.paths) - len(rows):
        said.append(f"{copies:,} of {len(found.paths):,} pictures are copies of another one, and were left out")
    rows = apart(kept.thumbnails, kept.targets)
    if alike := len(kept.paths) - len(rows):
        said.append(
            f"{alike:,} of {len(kept.paths):,} pictures look like another one of their class, and were left out"
        )
    kept = _chosen(kept, rows)
    pairs = [(kept.paths[i], kept.paths[j]) for i, j in look_alikes_within(kept.thumbnails)]
    said += told("pictures look like another one: the scores are worth little if they are copies saved again", pairs)
    contents = zip(found.paths, found.hashes, (found.classes[target] for target in found.targets), strict=True)
    said += told("pictures have the content of another one and another label", torn(contents))
    return kept, said


def _chosen(found: ClassFolders, rows: np.ndarray) -> ClassFolders:
    """Some of the pictures alone."""
    if len(rows) == len(found.paths):
        return found
    return replace(
        found,
        images=found.images[rows],
        targets=found.targets[rows],
        paths=[found.paths[row] for row in rows],
        hashes=[found.hashes[row] for row in rows],
        thumbnails=[found.thumbnails[row] for row in rows],
    )


def _read(
    folder: Path,
    entries: list[Entry],
    remarks: list[str],
    size: int,
    max_bad_fraction: float,
    target: Path,
    least: int,
) -> ClassFolders:
    classes = sorted({entry.domain for entry in entries})
    number = {name: index for index, name in enumerate(classes)}
    skipped = Skipped(max_bad_fraction, shown(folder), "--max-bad-fraction")
    labels, paths, hashes, thumbnails = [], [], [], []
    with Pack(target, size) as pack:
        bar = tqdm(entries, desc="reading", unit=" images", disable=None)
        for entry, loaded in read_all(bar, size, skipped):
            pack.append(loaded.pixels)
            labels.append(number[entry.domain])
            paths.append(entry.origin)
            hashes.append(loaded.sha256)
            thumbnails.append(loaded.thumbnail)
    skipped.check(len(paths))
    counts = Counter(labels)
    for label, name in enumerate(classes):
        if counts[label] < least:
            scored = ", for each is scored by the others" if least > 1 else ""
            raise UserError(
                f"{shown(folder / name)}: {counts[label]} readable pictures; a class needs at least {least}{scored}"
            )
    images = np.load(target, mmap_mode="r", allow_pickle=False)
    said = [*remarks, *skipped.remarks()]
    if skipped.reasons:
        said.append(f"{len(skipped.reasons):,} files could not be read and were left out, such as {skipped.reasons[0]}")
    return ClassFolders(images, np.array(labels, dtype=np.int64), classes, paths, hashes, thumbnails, said)


def _entries(found: Found, folder: Path, root: Path, classes: set[str]) -> Iterable[Entry]:
    for path in found.files:
        name, _, inside = path.partition("/")
        if inside and name in classes:
            yield _entry(folder, root, path, normal(name))


def _entry(folder: Path, root: Path, path: str, label: str) -> Entry:
    place = folder / path
    origin = place.relative_to(root).as_posix()
    return Entry(label, origin, partial(from_file, place, origin))
