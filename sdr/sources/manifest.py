"""Manifests: which files there are below some folders, their sizes, times of change and content hashes.

A stage depends on the manifest, one small file, instead of on 100,000 files that DVC would hash itself. To see
whether a folder still is as its manifest says takes a walk and no reading.
"""

import csv
import os
from collections.abc import Callable, Iterable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from sdr.base import outputs
from sdr.base.errors import UserError
from sdr.base.outputs import output_file
from sdr.corpus.entries import THREADS
from sdr.corpus.walk import walk

COLUMNS = ("path", "bytes", "mtime_ns", "sha256")
# Any file name comes back as it was.
_TEXT = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}


class File(NamedTuple):
    """A file when it was looked at; all zero and empty for a link to nowhere."""

    bytes: int
    mtime_ns: int  # time of the last change, ns since 1970
    sha256: str = ""  # of its content, hexadecimal; "" if not hashed, or not readable


Files = dict[str, File]  # by path, relative to a root


def scan(root: Path, folders: Iterable[str]) -> Files:
    """Look at every file below `root`/FOLDER, for each of `folders` (one may be a file itself), without reading.

    These are the files that `sdr.corpus.walk` finds in each folder.

    Raises:
        UserError: a folder is missing or cannot be read.
    """
    found: Files = {}
    for folder in folders:
        if (root / folder).is_file():
            found[folder] = _look((root / folder).stat)
        else:
            found |= {f"{folder}/{path}": _look(stat) for path, stat in walk(root / folder).files.items()}
    return dict(sorted(found.items()))


def add_hashes(root: Path, found: Files, known: Files) -> Files:
    """Return the files with their hashes, read with threads.

    Args:
        root: what the paths are relative to; absolute.
        found: from `scan`.
        known: hashed before, by absolute path: a file of the same path, size and time is not read again.
    """

    files = {path: known.get(f"{root}/{path}") for path in found}
    unread = [path for path, before in files.items() if before is None or before[:2] != found[path][:2]]
    with ThreadPool(THREADS) as pool:
        hashes = pool.imap(lambda path: sha256(root / path), unread, chunksize=64)
        bar = tqdm(hashes, desc="manifest", total=len(unread), unit=" files", disable=None)
        files |= {path: found[path]._replace(sha256=value) for path, value in zip(unread, bar, strict=True)}
    return files


def sha256(path: Path) -> str:
    """Return the hash of a file's content, "" if it cannot be read: whoever needs that file will say so."""
    try:
        return outputs.sha256(path)
    except OSError:
        return ""


def write(path: Path, files: Files) -> None:
    """Write a manifest, whole or not at all."""
    with output_file(path) as partial, partial.open("w", **_TEXT) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((name, *values) for name, values in files.items())


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
        return {name: File(int(size), int(mtime), digest) for name, size, mtime, digest in lines}


def differing(listed: Files, found: Files) -> list[str]:
    """Return the paths that only one of them has, or whose size or time of change differ, sorted."""
    everything = sorted(listed.keys() | found.keys())
    return [path for path in everything if _stat(listed, path) != _stat(found, path)]


def _stat(files: Files, path: str) -> tuple | None:
    return files[path][:2] if path in files else None


def _look(stat: Callable[[], os.stat_result]) -> File:
    try:
        status = stat()
    except OSError:  # a link to nowhere
        return File(0, 0)
    return File(status.st_size, status.st_mtime_ns)
