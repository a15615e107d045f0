"""Manifests: which files there are below some folders, their sizes and content hashes.

A stage depends on the manifest, one small file, instead of on a million files that DVC would hash itself. Whether a folder
still is as its manifest says is seen in seconds: a local index, no output of anything, keeps for each file the size and the
time of change that its hash was taken at, and only files where these differ are read again.
"""

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from sdr.base import outputs
from sdr.base.errors import UserError
from sdr.base.outputs import output_file
from sdr.corpus.walk import walk

COLUMNS = ("path", "bytes", "sha256")
THREADS = min(32, 2 * (os.cpu_count() or 1))  # reading and hashing release the interpreter lock
# Any file name comes back as it was.
_TEXT = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}


class Stat(NamedTuple):
    """A file when it was looked at, without reading; zeros for a link to nowhere."""

    bytes: int
    mtime_ns: int  # time of the last change, ns since 1970


class File(NamedTuple):
    """A file as a manifest lists it."""

    bytes: int
    sha256: str  # of its content, hexadecimal; "" where it cannot be read, or it is no file of its own


class Hashed(NamedTuple):
    """A row of the index."""

    bytes: int
    mtime_ns: int
    sha256: str


# By path, relative to a root.
Stats = dict[str, Stat]
Files = dict[str, File]
Index = dict[str, Hashed]


def scan(root: Path, folders: Iterable[str]) -> Stats:
    """Look at every file below `root`/FOLDER, for each of `folders` (one may be a file itself, or "": all of `root`).

    These are the files that `sdr.corpus.walk` finds in each folder.

    Raises:
        UserError: a folder is missing or cannot be read.
    """
    found: Stats = {}
    for folder in folders:
        if (root / folder).is_file():
            found[folder] = _look((root / folder).stat)
        else:
            prefix = f"{folder}/" if folder else ""
            found |= {prefix + path: _look(stat) for path, stat in walk(root / folder).files.items()}
    return dict(sorted(found.items()))


def take(root: Path, found: Stats, known: Index) -> Index:
    """Return the files with their hashes, read with threads.

    Args:
        found: from `scan`.
        known: hashed before, of the same root: a file of the same path, size and time is not read again.
    """
    unread = [path for path, stat in found.items() if path not in known or known[path][:2] != stat]
    with ThreadPool(THREADS) as pool:
        hashes = pool.imap(lambda path: sha256(root / path), unread, chunksize=64)
        bar = tqdm(hashes, desc="manifest", total=len(unread), unit=" files", disable=None)
        new = {path: Hashed(*found[path], value) for path, value in zip(unread, bar, strict=True)}
    return {path: new.get(path) or known[path] for path in found}


def sha256(path: Path) -> str:
    """Return the hash of a file's content, "" if it cannot be read: whoever needs that file will say so."""
    try:
        return outputs.sha256(path)
    except OSError:
        return ""


def write(path: Path, rows: Mapping[str, NamedTuple], columns: tuple[str, ...] = COLUMNS) -> None:
    """Write a manifest, or with other columns an index, whole or not at all."""
    with output_file(path) as partial, partial.open("w", **_TEXT) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows((name, *values) for name, values in rows.items())


def read(path: Path) -> Files:
    """Read a manifest.

    Raises:
        FileNotFoundError: there is none.
        UserError: this is no manifest.
    """
    with path.open(**_TEXT) as file:
        lines = csv.reader(file)
        if tuple(next(lines, ())) != COLUMNS:
            raise UserError(f"{path}: not a manifest; delete it and make it again")
        return {name: File(int(size), digest) for name, size, digest in lines}


def read_index(path: Path) -> Index:
    """Read an index; nothing is known where there is none, or it is damaged."""
    try:
        with path.open(**_TEXT) as file:
            lines = csv.reader(file)
            next(lines, None)
            return {name: Hashed(int(size), int(mtime), digest) for name, size, mtime, digest in lines}
    except (OSError, ValueError):
        return {}


def differing(listed: Files, found: Files) -> list[str]:
    """Return the paths that only one of them has, or whose content differs, sorted."""
    if listed == found:  # a million rows in a moment
        return []
    return sorted(path for path in listed.keys() | found.keys() if listed.get(path) != found.get(path))


def _look(stat: Callable[[], os.stat_result]) -> Stat:
    try:
        status = stat()
    except OSError:  # a link to nowhere
        return Stat(0, 0)
    return Stat(status.st_size, status.st_mtime_ns)
