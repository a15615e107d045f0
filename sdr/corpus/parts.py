"""Halves of the corpus that differ in what they show (paper, section 3: ImageNet's Subset-A and Subset-B)."""

import csv
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from sdr.base.errors import UserError

PartName = Literal["all", "A", "B"]
COLUMNS = ("class", "part")


class Images(Protocol):
    """A corpus, `sdr.corpus.store.ImageStore` say."""

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Image indices `B` → `B×S×S×3` uint8."""


class Part:
    """Some images of a corpus, as a corpus of its own.

    Args:
        whole: the corpus.
        rows: indices of the images, `M` int64.
    """

    def __init__(self, whole: Images, rows: np.ndarray):
        self._whole, self._rows = whole, rows

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Indices into this part `B` → `B×S×S×3` uint8."""
        return self._whole.read(self._rows[indices])


def part_rows(classes: list[str], split: str | Path, part: PartName) -> np.ndarray:
    """Return the sorted indices (int64) of the images of a part; of `all`, every image, whatever the table says.

    Args:
        classes: of each image, `N` names: `ImageStore.domains`.
        split: a CSV file with the columns class and part, A or B; others are ignored.
        part: which.

    Raises:
        UserError: the table cannot be read, lacks a class of the corpus, or the part has no image.
    """
    if part == "all":
        return np.arange(len(classes))
    table = read_split(split)
    if missing := sorted(set(classes) - set(table)):
        raise UserError(
            f"{split}: no row for {len(missing)} of the corpus' {len(set(classes))} classes, such as {missing[0]!r}: add "
            "them, or name another table in `split` of params.yaml"
        )
    rows = np.flatnonzero([table[name] == part for name in classes])
    if not len(rows):
        raise UserError(f"{split}: no image of the corpus is of a class of part {part}")
    return rows


def read_split(file: str | Path) -> dict[str, str]:
    """Read class → part, A or B.

    Raises:
        UserError: the file is not there, is no such table, or names a class twice.
    """
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read as a table of classes: {error}") from None
    if not set(COLUMNS) <= set(columns):
        raise UserError(f"{file}: needs the columns {' and '.join(COLUMNS)}")
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        name, part = row["class"], row["part"]
        if part not in ("A", "B"):
            raise UserError(f"{file}: line {number}: part is {part!r}, and must be A or B")
        if name in table:
            raise UserError(f"{file}: line {number}: class {name!r} stands there twice")
        table[name] = part
    return table
