"""What a reader of a public data set is, and what all of them share: layout, label files, downloads."""

import http.client
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import Entry
from sdr.tasks.image import from_file

Splits = dict[str, list[Entry]]  # an entry's domain is its label; several are joined by ";"
Pictures = list[tuple[Path, str]]  # files and their labels

_ARCHIVES = (".tar", ".gz", ".tgz", ".zip")
# What torchvision's downloads end in: no network, a moved or broken file, a disk that is full.
_DOWNLOAD_ERRORS = (
    *(OSError, RuntimeError, ValueError, EOFError, http.client.HTTPException),
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class Reader:
    """A data set of the many-shot protocol (Ericsson et al., CVPR 2021) in its official layout.

    Attributes:
        metric: the protocol's: "top1", "mean_per_class" or "map".
        n_classes: how many classes it has.
        sizes: images of the official splits: "train", "test", and "val" where there is an official one.
        folders: the files and folders it is read from, relative to the root of the tasks.
        read: root → labelled entries of each split. UserError: the layout is incomplete or not understood.
        download: puts the files below the root, if they are not there; None where no host serves them any more.
            UserError: the download failed.
        get: where to get the files and how they must lie.
        side: side of all images in pixels where they are all small and square.
        older_sizes: images of splits whose lists were once published with another length.
    """

    metric: str
    n_classes: int
    sizes: dict[str, int]
    folders: tuple[str, ...]
    read: Callable[[Path], Splits]
    download: Callable[[Path], None] | None
    get: str
    side: int | None = None
    older_sizes: dict[str, int] = field(default_factory=dict)

    def unlike(self, splits: Splits) -> dict[str, tuple[int, int]]:
        """Return {split: (images found, images of the official split)} of the splits that differ in size."""
        found = {split: len(splits.get(split, ())) for split in self.sizes}
        return {
            split: (found[split], size)
            for split, size in self.sizes.items()
            if found[split] not in (size, self.older_sizes.get(split))
        }


def reader(
    name: str,
    read: Callable[[Path], Splits],
    *,
    metric: str,
    n_classes: int,
    sizes: dict[str, int],
    folders: tuple[str, ...],
    get: str,
    fetch: Callable[[Path], None] | None = None,
    inside: tuple[str, ...] = (),
    side: int | None = None,
    older_sizes: dict[str, int] | None = None,
) -> Reader:
    """Return the Reader of data set `name`, which looks for its files before it calls `read`.

    Args:
        name: of the data set, for messages.
        read: root → labelled entries of each split; all files are there.
        fetch: downloads and unpacks the official files into a folder. As `Reader.download` it is given a folder
            inside of the root, and what it made is moved into place only when all of it is there.
        inside: files of `folders` to look for by name.
        metric, n_classes, sizes, folders, get, side, older_sizes: see Reader.
    """
    needed = (*folders, *inside)
    download = None if fetch is None else partial(_download, name, needed, get, fetch)
    return Reader(
        metric=metric,
        n_classes=n_classes,
        sizes=sizes,
        folders=folders,
        read=partial(_read, name, needed, get, read),
        download=download,
        get=get,
        side=side,
        older_sizes=older_sizes or {},
    )


def listed(root: Path, label_file: Path, pictures: Pictures) -> list[Entry]:
    """Return the entries of the pictures that a label file lists, in its order.

    Raises:
        UserError: a picture is not there.
    """
    missing = [path for path, _ in pictures if not path.is_file()]
    if missing:
        raise UserError(
            f"{label_file}: {len(missing)} of the {len(pictures)} pictures that it lists are not there, such as "
            f"{missing[0]}; unpack the archive of the pictures again"
        )
    names = [path.relative_to(root).as_posix() for path, _ in pictures]
    return [
        Entry(label, name, partial(from_file, path, name, upright=False))
        for name, (path, label) in zip(names, pictures, strict=True)
    ]


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each line of a label file that is not blank, stripped, after its place, "FILE, line N", for messages.

    Raises:
        UserError: there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise UserError(f"{path}: not found; unpack the archive of the labels again") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()


def _read(name: str, needed: tuple[str, ...], get: str, read: Callable[[Path], Splits], root: Path) -> Splits:
    missing = _missing(needed, root)
    if missing:
        raise UserError(
            f"data set {name}: {', '.join(missing)} not found in {root} ({location.TASKS}), which should hold "
            f"{', '.join(needed)}; {get}"
        )
    return read(root)


def _download(name: str, needed: tuple[str, ...], get: str, fetch: Callable[[Path], None], root: Path) -> None:
    if not _missing(needed, root):
        return
    try:
        with TemporaryDirectory(prefix=f".download-{name}-", dir=root) as folder:
            fetch(Path(folder))
            _move(Path(folder), root)
    except _DOWNLOAD_ERRORS as error:
        raise UserError(
            f"data set {name}: the download of {', '.join(needed)} into {root} ({location.TASKS}) failed: {error}; "
            f"by hand: {get}"
        ) from None


def _missing(needed: tuple[str, ...], root: Path) -> list[str]:
    return [path for path in needed if not (root / path).exists()]


def _move(source: Path, root: Path) -> None:
    """Move all files but the archives."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix not in _ARCHIVES:
            target = root / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
