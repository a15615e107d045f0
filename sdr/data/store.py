"""The prepared corpus on disk: an index, and the pixels either packed or read from the files on the fly."""

import csv
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sdr.data import location
from sdr.data.entries import THREADS
from sdr.data.images import DECODE_ERRORS, decode, to_pixels
from sdr.errors import UserError

COLUMNS = ("domain", "origin", "sha256", "bytes", "width", "height")


class ImageStore:
    """N images of S×S pixels. Packed or not, they read the same.

    Attributes:
        domains: the domain of each image (N strings).
        meta: what `meta.json` says: source, size, n, packed, domains, …
    """

    def __init__(self, folder: Path, meta: dict, rows: list[dict[str, str]]):
        self.meta = meta
        self.domains = [row["domain"] for row in rows]
        self._size = int(meta["size"])
        if meta["packed"]:
            self._pixels = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        else:
            self._root = location.root(location.CORPUS)
            self._origins = [row["origin"] for row in rows]
            _check_files(self._root, rows)
            self._pool = ThreadPoolExecutor(THREADS)

    @classmethod
    def open(cls, folder: str | Path) -> "ImageStore":
        """Open what `write_index` wrote.

        Raises:
            UserError: there is no prepared corpus; or it is not packed and the files differ from its index.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / "meta.json").read_text())
            with (folder / "index.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: not found; run `dvc repro prepare` first") from None
        return cls(folder, meta, rows)

    def __len__(self) -> int:
        return len(self.domains)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return the images of these rows (int64 B) as uint8 B×S×S×3, in that order.

        Raises:
            UserError: a file cannot be read any more.
        """
        if self.meta["packed"]:
            return self._pixels[np.asarray(indices)]
        pixels = np.empty((len(indices), self._size, self._size, 3), dtype=np.uint8)
        for place, picture in enumerate(self._pool.map(self._read_file, indices)):
            pixels[place] = picture
        return pixels

    def _read_file(self, index: int) -> np.ndarray:
        origin = self._origins[index]
        try:
            return to_pixels(decode(self._root / origin, self._size), self._size, origin)
        except DECODE_ERRORS as error:
            raise UserError(f"{self._root / origin}: cannot be read any more: {error}; {_AGAIN}") from None


def write_index(folder: Path, rows: list[tuple], meta: dict) -> dict:
    """Write index.csv (rows as `COLUMNS`) and meta.json; return meta with the index's sha256 as "fingerprint"."""
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    meta = meta | {"fingerprint": hashlib.sha256((folder / "index.csv").read_bytes()).hexdigest()}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    return meta


_AGAIN = f"restore the folder that {location.CORPUS} names, or run `dvc repro --force prepare` to take it as it is now"


def _check_files(root: Path, rows: list[dict[str, str]]) -> None:
    """Raise UserError if a file of the index is gone or has another length."""
    changed = [row["origin"] for row in rows if _length(root / row["origin"]) != int(row["bytes"])]
    if changed:
        raise UserError(
            f"{root}: {len(changed)} of {len(rows)} files are gone or have changed since the corpus was "
            f"prepared, such as {changed[0]}; {_AGAIN}"
        )


def _length(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
