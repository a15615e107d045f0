"""Read the labelled pictures of one folder: pixels and targets of each split."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.corpus.entries import Entry, Skipped, read_all
from sdr.tasks.class_folders import class_entries
from sdr.tasks.labelled import check_labelled, columns_of
from sdr.tasks.lists import read_list
from sdr.tasks.pack import Pack


@dataclass(frozen=True)
class Split:
    """Images `n×S×S×3` uint8, memory-mapped, their classes int64 n, and the hash of each file."""

    images: np.ndarray
    targets: np.ndarray
    hashes: list[str]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Split":
        return Split(self.images[rows], self.targets[rows], [self.hashes[i] for i in rows])


def read_labelled(
    folder: Path, side: int, max_bad_fraction: float, target: Path
) -> tuple[dict[str, Split], list[str], list[str]]:
    """Read a folder that `sdr.tasks.labelled` describes; pixels are kept below the existing folder `target`.

    Args:
        side: S of the images, pixels.
        max_bad_fraction: share of unreadable files that are left out.

    Returns:
        the splits ("train", maybe "val" and "test"; "all" where there are none); the C classes, sorted; what was
        left out, "file: reason".

    Raises:
        UserError: as `check_labelled`; too many unreadable files; a class of the first split without two pictures.
    """
    places = check_labelled(folder)
    skipped = Skipped(max_bad_fraction, str(folder), "--max-bad-fraction")
    entries = {split: list(_entries(place, folder)) for split, place in places.items()}
    first = next(iter(entries))
    classes = sorted({entry.domain for entry in entries[first]})
    number = {name: index for index, name in enumerate(classes)}
    splits = {}
    for split, listed in entries.items():
        file, targets, hashes = target / f"{split}.npy", [], []
        with Pack(file, side) as pack:
            bar = tqdm(listed, desc=f"reading {split}", unit=" images", disable=None)
            for entry, loaded in read_all(bar, side, skipped):
                pack.append(loaded.pixels)
                targets.append(number[entry.domain])
                hashes.append(loaded.sha256)
        images = np.load(file, mmap_mode="r", allow_pickle=False)
        splits[split] = Split(images, np.array(targets, dtype=np.int64), hashes)
    skipped.check(sum(map(len, splits.values())))
    for split in splits:
        if not len(splits[split]):
            raise UserError(f"{places[split]}: no readable picture; put some there, or remove the split {split}")
    counts = Counter(splits[first].targets.tolist())
    for index, name in enumerate(classes):
        if counts[index] < 2:
            raise UserError(f"{places[first]}: {counts[index]} readable pictures of class {name}; it takes two or more")
    return splits, classes, skipped.reasons


def in_two_splits(splits: Mapping[str, Split]) -> list[str]:
    """Say of each pair of splits how many pictures of one are in the other too, by their content."""
    said = []
    for one, other in combinations(splits, 2):
        known = set(splits[one].hashes)
        count = sum(value in known for value in splits[other].hashes)
        if count:
            said.append(
                f"{count:,} of {len(splits[other]):,} pictures of {other} are in {one} too: it judges them by themselves"
            )
    return said


def split_by_hash(split: Split, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows to keep and rows to hold out, sorted: of each class the pictures with the lowest hashes are held out.

    So the split needs no list, is the same on every machine whatever files are called, grows with the folder, and
    copies of a picture are on one side.

    Args:
        share: of each class's different pictures that are held out, at least one of those with two or more.
    """
    held = np.zeros(len(split), dtype=bool)
    for label in np.unique(split.targets):
        rows = np.flatnonzero(split.targets == label)
        different = sorted({split.hashes[i] for i in rows})
        count = min(len(different) - 1, max(1, int(share * len(different))))
        lowest = set(different[:count])
        held[rows] = [split.hashes[i] in lowest for i in rows]
    return np.flatnonzero(~held), np.flatnonzero(held)


def _entries(place: Path, top: Path) -> Iterator[Entry]:
    if place.is_dir():
        yield from class_entries(place, top)
    else:
        yield from read_list(place.absolute(), columns_of(place), top.absolute(), False, None)
