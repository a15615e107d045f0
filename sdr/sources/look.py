"""A look at a folder of pictures before anything is run on it: how many, how large, of which formats, and what is odd.

Nothing is decoded: of a sample the headers are read, and files of equal length are hashed to find copies.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sdr.base.outputs import sha256
from sdr.base.shown import shown
from sdr.corpus import location
from sdr.corpus.decode import BadPicture, header

SAMPLE = 400  # files whose headers are read
HASHED = 2000  # files that are hashed, at most


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes:
        folder: where.
        files: all of them, sorted.
        bytes: of all.
        formats: how many files by what their names end in, most first.
        domains: how many by the first folder of their path; "all" at the top.
        sides: short sides of the pictures of the sample, pixels, int64, sorted.
        unread: of the sample, "path: reason" of what is no picture.
        sampled: files in the sample.
        copies: pairs of paths of files with the same content, among those that were hashed.
    """

    folder: Path
    files: list[Path]
    bytes: int
    formats: Counter
    domains: Counter
    sides: np.ndarray
    unread: list[str]
    sampled: int
    copies: list[tuple[str, str]]

    def in_words(self) -> str:
        """One line for people."""
        formats = ", ".join(f"{n:,} {name or 'without ending'}" for name, n in self.formats.most_common(4))
        low, middle, high = np.percentile(self.sides, [5, 50, 95]) if len(self.sides) else (0, 0, 0)
        domains = f", {len(self.domains)} sub-folders" if len(self.domains) > 1 else ""
        return (
            f"{len(self.files):,} files, {self.bytes / 1e6:,.1f} MB: {formats}{domains}; "
            f"short sides {low:.0f} to {high:.0f} pixels, {middle:.0f} in the middle"
        )


def look(folder: Path) -> Look:
    """Look at all files below a folder.

    Raises:
        UserError: a folder cannot be read.
    """
    files = location.files(folder)
    lengths = [path.stat().st_size if path.exists() else 0 for path in files]
    names = [path.relative_to(folder) for path in files]
    sides, unread = [], []
    sample = np.unique(np.linspace(0, len(files) - 1, min(SAMPLE, len(files))).astype(int)) if files else []
    for i in sample:
        try:
            sides.append(min(header(files[i]).size))
        except BadPicture as error:
            unread.append(f"{shown(names[i])}: {error}")
    return Look(
        folder,
        files,
        sum(lengths),
        Counter(path.suffix.lower().lstrip(".") for path in files),
        Counter(name.parts[0] if len(name.parts) > 1 else "all" for name in names),
        np.sort(np.array(sides, dtype=np.int64)),
        unread,
        len(sample),
        copies(folder, files, lengths),
    )


def copies(folder: Path, files: Sequence[Path], lengths: Sequence[int]) -> list[tuple[str, str]]:
    """Pairs (first, copy) of files with the same content, paths relative to the folder; the first `HASHED` candidates."""
    same: dict[int, list[Path]] = defaultdict(list)
    for path, length in zip(files, lengths):
        same[length].append(path)
    candidates = [path for length, paths in same.items() if len(paths) > 1 and length for path in paths][:HASHED]
    first: dict[str, Path] = {}
    found = []
    for path in candidates:
        other = first.setdefault(sha256(path), path)
        if other != path:
            found.append((str(other.relative_to(folder)), str(path.relative_to(folder))))
    return found
