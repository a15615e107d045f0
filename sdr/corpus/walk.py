"""The one walk over a person's folder: every picture once, whatever links, leftovers and odd files lie there."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import shown

# What systems leave in folders, lower case: thumbnails and bins of NAS, unpackers, Windows and file systems.
LEFTOVERS = frozenset(
    (
        *("@eadir", "@recycle", "#recycle", "#snapshot", "@tmp", "@recently-snapshot", "__macosx", "$recycle.bin"),
        *("recycler", "recycled", "system volume information", "lost+found", "thumbs.db", "ehthumbs.db"),
        *("ehthumbs_vista.db", "desktop.ini", "icon\r", "picasa.ini", "thumbs.db:encryptable", "__pycache__"),
    )
)


@dataclass
class Found:
    """What lies below a folder.

    Attributes:
        files: path relative to the folder, "a/b.png" → its `stat`, sorted by the parts of the path. A link to nowhere is among
            them: whoever reads it says so. Special files are not.
        left_out: how many were left out: "reached twice", "special" (pipes, sockets, devices); and "links out", which were
            followed: links to something outside of the folder.
    """

    files: dict[str, Callable[[], os.stat_result]] = field(default_factory=dict)
    left_out: Counter = field(default_factory=Counter)

    def remarks(self) -> Iterator[str]:
        """Say what was left out, and followed."""
        says = {
            "reached twice": "links lead to what was counted already, and were left out",
            "special": "pipes, sockets or devices were left out",
            "links out": "links lead out of the folder, and were followed",
        }
        yield from (f"{self.left_out[kind]:,} {text}" for kind, text in says.items() if self.left_out[kind])


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out: it begins with a dot, or is what a system leaves behind."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def walk(folder: Path) -> Found:
    """Look for files at any depth, without reading one.

    Links are followed after everything that is really there was seen, in the order of their paths, so that what is reached
    twice keeps its real path and circles end. Two names of one file (hard links) are one file reached twice as well.

    Raises:
        UserError: a folder cannot be read.
    """
    found, links, inodes = Found(), [], {}
    folders: set[str] = set()  # real paths

    def gather(place: str, name: str) -> dict[str, Callable[[], os.stat_result]]:
        """The files really below a folder; its links are kept for later."""
        here, todo = {}, [(place, name)]
        while todo:
            place, name = todo.pop()
            if (real := os.path.realpath(place)) in folders:
                found.left_out["reached twice"] += 1
                continue
            folders.add(real)
            for entry in _entries(place):
                path = f"{name}/{entry.name}" if name else entry.name
                if hidden(entry.name):
                    continue
                if entry.is_symlink():
                    links.append((path, entry.path))
                elif entry.is_dir():
                    todo.append((entry.path, path))
                elif not entry.is_file():
                    found.left_out["special"] += 1
                elif (other := inodes.setdefault(entry.inode(), entry)) is not entry and _same(other, entry):
                    found.left_out["reached twice"] += 1
                else:
                    here[path] = entry.stat
        return here

    found.files = gather(os.fspath(folder), "")
    root = os.path.realpath(folder)
    seen = {_identity(stat) for stat in found.files.values()} if links else set()  # else no file need be looked at
    while links:
        links.sort(key=lambda link: link[0].split("/"), reverse=True)
        path, place = links.pop()
        target = os.path.realpath(place)
        if os.path.isdir(target):
            if os.path.commonpath([root, target]) == target:  # the folder itself, or one that it lies in
                found.left_out["reached twice"] += 1
                continue
            new = gather(target, path)
        elif os.path.exists(target) and not os.path.isfile(target):
            found.left_out["special"] += 1
            continue
        else:
            new = {path: partial(os.stat, place)}
        fresh = {name: stat for name, stat in new.items() if (key := _identity(stat)) is None or key not in seen}
        seen |= {_identity(stat) for stat in fresh.values()}
        found.files |= fresh
        found.left_out["reached twice"] += len(new) - len(fresh)
        found.left_out["links out"] += bool(fresh) and os.path.commonpath([root, target]) != root
    found.files = dict(sorted(found.files.items(), key=lambda item: item[0].split("/")))
    found.left_out = +found.left_out
    return found


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as inside:
            return sorted(inside, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{shown(error.filename)}: {error.strerror}; check its owner and mode") from None


def _same(one: os.DirEntry, other: os.DirEntry) -> bool:
    """Whether two names are one file. Numbers of files repeat between file systems, so they are only where to look."""
    return _identity(one.stat) is not None and _identity(one.stat) == _identity(other.stat)


def _identity(stat: Callable[[], os.stat_result]) -> tuple[int, int] | None:
    """What tells files apart; None where it is not known: a link to nowhere, or a file system without numbers."""
    try:
        status = stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None
