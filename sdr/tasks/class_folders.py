"""Labelled pictures in a folder of class sub-folders, FOLDER/CLASS/*: a split of a task, or all there is."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import Entry, Skipped, read_all
from sdr.tasks.image import from_file
from sdr.tasks.pack import Pack


def class_entries(folder: Path, root: Path) -> list[Entry]:
    """Return the pictures below each class folder, the class as their domain; origins are relative to `root`.

    Raises:
        UserError: a class folder is empty, or its name cannot be a label.
    """
    entries = []
    for place in _places(folder):
        if ";" in place.name:
            raise UserError(f"{place}: a class's name cannot hold a `;`, which separates labels; rename it")
        paths = location.files(place)
        if not paths:
            raise UserError(f"{place}: this class folder is empty; put images into it or remove it")
        for path in paths:
            origin = path.relative_to(root).as_posix()
            entries.append(Entry(place.name, origin, partial(from_file, path, origin)))
    return entries


def read_class_folders(
    folder: Path, size: int, max_bad_fraction: float, target: Path
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """Read the pictures as a task's are read: short side to `size`, centre crop.

    Args:
        folder: holds a sub-folder a class; pictures may lie deeper in it.
        size: side S of the result, pixels.
        max_bad_fraction: share of unreadable files that are left out.
        target: file to keep the pixels in, NAME.npy, in an existing folder.

    Returns:
        images `N×S×S×3` uint8, memory-mapped from `target`; targets int64 N; the C classes, sorted; paths, N.

    Raises:
        UserError: no such folder, fewer than two classes, an empty one, one with a single readable picture, or too
            many unreadable files.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not found; it should hold a folder for each class, with its pictures")
    classes = [place.name for place in _places(folder)]
    if len(classes) < 2:
        raise UserError(f"{folder}: {len(classes)} class folders; it should hold at least two, CLASS/*, with pictures")
    entries = class_entries(folder, folder)
    skipped = Skipped(max_bad_fraction, str(folder), "--max-bad-fraction")
    labels, kept = [], []
    with Pack(target, size) as pack:
        bar = tqdm(entries, desc="reading", unit=" images", disable=None)
        for entry, loaded in read_all(bar, size, skipped):
            pack.append(loaded.pixels)
            labels.append(classes.index(entry.domain))
            kept.append(entry.origin)
    skipped.check(len(kept))
    counts = Counter(labels)
    for label, name in enumerate(classes):
        if counts[label] < 2:
            raise UserError(
                f"{folder / name}: {counts[label]} readable pictures; a class needs at least two, for each is scored by the others"
            )
    images = np.load(target, mmap_mode="r", allow_pickle=False)
    return images, np.array(labels, dtype=np.int64), classes, kept


def _places(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
