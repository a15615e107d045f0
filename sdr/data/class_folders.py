"""Labelled pictures in one folder of class sub-folders, FOLDER/CLASS/*, for a task that has no splits."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdr.data import location
from sdr.data.entries import Entry, Skipped, read_all
from sdr.data.pack import Pack
from sdr.data.task_image import from_file
from sdr.errors import UserError


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
    places = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(places) < 2:
        raise UserError(f"{folder}: {len(places)} class folders; it should hold at least two, CLASS/*, with pictures")
    entries = []
    for label, place in enumerate(places):
        paths = location.files(place)
        if not paths:
            raise UserError(f"{place}: this class folder is empty; put images into it or remove it")
        names = (path.relative_to(folder).as_posix() for path in paths)
        entries += [Entry(str(label), name, partial(from_file, path, name)) for path, name in zip(paths, names)]
    skipped = Skipped(max_bad_fraction, str(folder))
    labels, kept = [], []
    with Pack(target, size) as pack:
        bar = tqdm(entries, desc="reading", unit=" images", disable=None)
        for entry, loaded in read_all(bar, size, skipped):
            pack.append(loaded.pixels)
            labels.append(int(entry.domain))
            kept.append(entry.origin)
    skipped.check(len(kept))
    counts = Counter(labels)
    for label, place in enumerate(places):
        if counts[label] < 2:
            raise UserError(
                f"{place}: {counts[label]} readable pictures; a class needs at least two, for each is scored by the others"
            )
    images = np.load(target, mmap_mode="r", allow_pickle=False)
    return images, np.array(labels, dtype=np.int64), [place.name for place in places], kept
