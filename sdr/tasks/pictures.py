"""Pictures without labels: all those below a folder, read as a task's are."""

from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import Entry, Skipped, read_all
from sdr.tasks.image import from_file
from sdr.tasks.pack import Pack


def picture_entries(folder: Path) -> list[Entry]:
    """Return the pictures below a folder, in any sub-folders, sorted by path; origins are relative to it.

    Raises:
        UserError: there is none.
    """
    names = [path.relative_to(folder).as_posix() for path in location.files(folder)]
    if not names:
        raise UserError(f"{folder}: no picture in it; put some there, in any sub-folders")
    return [Entry("", name, partial(from_file, folder / name, name)) for name in names]


def read_pictures(
    folder: Path, side: int, max_bad_fraction: float, target: Path
) -> tuple[np.ndarray, list[str], list[str]]:
    """Read the pictures below a folder: short side to `side`, centre crop.

    Args:
        max_bad_fraction: share of unreadable files that are left out.
        target: file to keep the pixels in, NAME.npy, in an existing folder.

    Returns:
        images `N×S×S×3` uint8, memory-mapped from `target`; paths, N; what was left out, "file: reason".

    Raises:
        UserError: no picture, or too many unreadable files.
    """
    skipped, paths = Skipped(max_bad_fraction, str(folder), "--max-bad-fraction"), []
    with Pack(target, side) as pack:
        bar = tqdm(picture_entries(folder), desc="reading", unit=" images", disable=None)
        for entry, loaded in read_all(bar, side, skipped):
            pack.append(loaded.pixels)
            paths.append(entry.origin)
    skipped.check(len(paths))
    return np.load(target, mmap_mode="r", allow_pickle=False), paths, skipped.reasons
