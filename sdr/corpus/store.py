"""The prepared corpus on disk, images.arrow and meta.json: pictures decoded, encoded, or only where their files lie."""

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.decode import BadPicture, decode
from sdr.corpus.entries import THREADS
from sdr.corpus.images import to_pixels
from sdr.corpus.records import CONTENT, Kind, Records, write_records

Store = Literal["decoded", "encoded", "files"]
FILE = "images.arrow"
HELD = 256 << 20  # bytes of decoded pixels up to which they are held in memory
# What is known of a picture: of its file, or of the stored pixels where it has no file of its own.
COLUMNS: dict[str, Kind] = {
    "domain": "string",
    "origin": "string",
    "sha256": "string",
    "bytes": "int64",
    "width": "int64",
    "height": "int64",
}


class ImageStore:
    """N images of S×S pixels. However they are stored, they read the same, but for what was lossily re-encoded.

    Encoded pictures are decoded by threads, not by worker processes: Pillow lets go of the interpreter lock while it
    decodes and resizes, all but 0.2 ms of the 3 to 5 ms of a JPEG of 500 × 375, so a process is good for 5,000 of them
    a second. On two cores threads took 0.7 (best) to 0.87 (median) of the time of processes that send pixels back
    (`benchmarks/decoding.py`). A JPEG far larger than S is decoded at a coarser scale (`sdr.corpus.images.decode`);
    decoding only the crop is nothing that Pillow offers.

    Any number of threads may read at once; the object may be forked or pickled.

    Attributes:
        meta: what `meta.json` says: source, size, n, store, domains, fingerprint, …
    """

    def __init__(self, folder: Path, records: Records, meta: dict):
        self.meta = meta
        self._folder, self._records = folder, records
        self._size, self._store = int(meta["size"]), meta["store"]
        self._pool: tuple[int, ThreadPoolExecutor] | None = None  # and the process it belongs to
        if self._store == "files":
            self._root = location.root(location.CORPUS)
            _check_files(self._root, records)

    @classmethod
    def open(cls, folder: str | Path) -> "ImageStore":
        """Open what `sdr.sources.corpus.prepare` wrote.

        Raises:
            UserError: there is no prepared corpus; its file is cut short or another; or it only lists files and they
                differ from the list.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / "meta.json").read_text())
            records = Records(folder / FILE)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: not found; run `dvc repro prepare` first") from None
        if records.columns != list(columns(meta["store"])) or len(records) != meta["n"]:
            raise UserError(
                f"{folder / FILE}: {len(records)} records of {', '.join(records.columns)}, not the {meta['n']} "
                f"{meta['store']} pictures of meta.json; run `dvc repro --force prepare`"
            )
        return cls(folder, records, meta)

    def __len__(self) -> int:
        return len(self._records)

    def __reduce__(self):
        return ImageStore.open, (self._folder.absolute(),)

    @cached_property
    def domains(self) -> list[str]:
        """The domain of each image, N."""
        return list(self._records.column("domain"))

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return the images of these rows (int64 B) as uint8 B×S×S×3, in that order.

        Raises:
            UserError: a picture cannot be read any more.
        """
        if self._held is not None:
            return self._held[indices]
        pixels = np.empty((len(indices), self._size, self._size, 3), dtype=np.uint8)

        def fill(place: int) -> None:
            pixels[place] = self._picture(int(indices[place]))

        places = range(len(indices))
        for _ in map(fill, places) if self._store == "decoded" else self._threads().map(fill, places):
            pass
        return pixels

    @cached_property
    def _held(self) -> np.ndarray | None:
        """All pixels of a small decoded store, N×S×S×3 uint8: a batch of them is one copy, where reading one picture after
        another keeps the interpreter from the training's threads for as long as it takes."""
        if self._store != "decoded" or len(self) * 3 * self._size**2 > HELD:
            return None
        return np.stack([self._picture(index) for index in range(len(self))])

    def _picture(self, index: int) -> np.ndarray:
        """Return one image, S×S×3 uint8."""
        if self._store == "decoded":
            content = self._records.content(index)
            return np.frombuffer(content, np.uint8).reshape(self._size, self._size, 3)
        origin = self._records.value("origin", index)
        try:
            source = self._root / origin if self._store == "files" else self._records.content(index)
            return to_pixels(decode(source, self._size, upright=True).image, self._size, origin)
        except BadPicture as error:
            if self._store == "files":
                raise UserError(f"{self._root / origin}: cannot be read any more: {error}; {_AGAIN}") from None
            raise UserError(
                f"{self._records.path}: {origin}: cannot be decoded any more: {error}; run `dvc repro --force prepare`"
            ) from None

    def _threads(self) -> ThreadPoolExecutor:
        """Return this process's threads; those of the process that it was forked from are not there."""
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = os.getpid(), ThreadPoolExecutor(THREADS)
        return self._pool[1]


def columns(store: Store) -> dict[str, Kind]:
    """Return the columns of the file: name → kind."""
    return COLUMNS if store == "files" else COLUMNS | {CONTENT: "binary"}


def write_images(folder: Path, store: Store, rows: Iterable[tuple], look: dict) -> str:
    """Write images.arrow; return the fingerprint of the pixels that will be read from it.

    Args:
        folder: an existing one.
        store: how pictures are stored.
        rows: values as `COLUMNS`, and the content to keep.
        look: what else decides the pixels: the side, how they were encoded again.
    """
    digest = hashlib.sha256(json.dumps(look, sort_keys=True).encode())
    kept = columns(store)

    def hashed() -> Iterable[tuple]:
        for row in rows:
            digest.update(json.dumps(row[: len(COLUMNS)]).encode())
            yield row[: len(kept)]

    write_records(folder / FILE, kept, hashed())
    return digest.hexdigest()


_AGAIN = f"restore the folder that {location.CORPUS} names, or run `python -m tools.refresh` and `dvc repro` to take it as it is now"


def _check_files(root: Path, records: Records) -> None:
    """Raise UserError if a listed file is gone or has another length."""
    listed = zip(records.column("origin"), records.column("bytes"))
    changed = [origin for origin, size in listed if _length(root / origin) != size]
    if changed:
        raise UserError(
            f"{root}: {len(changed)} of {len(records)} files are gone or have changed since the corpus was "
            f"prepared, such as {changed[0]}; {_AGAIN}"
        )


def _length(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
