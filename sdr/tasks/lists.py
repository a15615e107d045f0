"""Lists of labelled pictures: one line a picture, several labels joined by ";"."""

import csv
import io
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import normal
from sdr.corpus.entries import Entry
from sdr.corpus.walk import hidden
from sdr.tasks.image import from_file


def read_list(table: Path, columns: tuple[str, str], top: Path, several: bool, classes: set[str] | None) -> list[Entry]:
    """Return the pictures of a list, whose paths are relative to the folder of the list.

    Args:
        table: a CSV file in UTF-8. Its first line names the columns, others than `columns` being ignored. Where
            `columns` are ("path", "labels") it may be left out: each line then is a path and its labels.
        columns: the names of the columns with paths and with labels.
        top: the task's folder, which holds all its pictures; origins begin with its name.
        several: whether a picture has any number of labels, joined by ";", or exactly one.
        classes: the labels there are; None: any.

    Raises:
        UserError: a line is not understood: the message names the file and the line.
    """
    entries, lines = [], {}
    for line, path, joined in _rows(table, columns):
        where = f"{table}:{line}"
        place = Path(os.path.normpath(table.parent / path))
        if top not in place.parents or any(map(hidden, place.relative_to(top).parts)):
            raise UserError(
                f"{where}: `{path}` is no visible path in {top}; put the pictures there, or link their folder"
            )
        if place in lines:
            raise UserError(
                f"{where}: {path} is in line {lines[place]} already; a picture has one line, in which several "
                "labels are joined by `;`"
            )
        lines[place] = line
        labels = list(dict.fromkeys(normal(label.strip()) for label in joined.split(";") if label.strip()))
        if not several and len(labels) != 1:
            raise UserError(f"{where}: {path} has {len(labels)} labels; give it one, or the task the metric `map`")
        unknown = [label for label in labels if classes is not None and label not in classes]
        if unknown:
            raise UserError(f"{where}: class `{unknown[0]}` is not in classes.txt; correct the line or add it")
        origin = place.relative_to(top.parent).as_posix()
        entries.append(Entry(";".join(labels), origin, partial(from_file, place, origin)))
    return entries


def read_classes(path: Path) -> set[str] | None:
    """Return the classes that `classes.txt` lists, one a line; None if there is no such file.

    Raises:
        UserError: a class is listed twice, or has a ";" in it.
    """
    if not path.exists():
        return None
    classes: set[str] = set()
    for line, text in enumerate(_text(path), start=1):
        label = normal(text.strip())
        if label in classes or ";" in label:
            problem = "holds a `;`, which separates labels" if ";" in label else "is listed twice"
            raise UserError(f"{path}:{line}: class `{label}` {problem}; correct the line")
        classes |= {label} - {""}
    return classes


def _rows(table: Path, columns: tuple[str, str]) -> Iterator[tuple[int, str, str]]:
    """Yield number, path and joined labels of each line that is not empty."""
    reader = csv.reader(_text(table), strict=True)
    width, places = 0, (0, 1)
    try:
        for row in reader:
            if not row:
                continue
            where = f"{table}:{reader.line_num}"
            if not width:
                width = len(row)
                if set(columns) <= set(row):
                    places = row.index(columns[0]), row.index(columns[1])
                    continue
                if not _is_picture(table, row, columns):
                    raise UserError(
                        f"{where}: no columns {','.join(columns)} in its first line"
                        + (", nor a picture that exists and its labels" if columns[0] == "path" else "")
                    )
            if len(row) != width:
                raise UserError(
                    f"{where}: {len(row)} columns instead of {width}; put quotes around a name with a comma"
                )
            yield reader.line_num, row[places[0]], row[places[1]]
    except csv.Error as error:
        raise UserError(f"{table}:{reader.line_num}: {error}; correct the line") from None


def _is_picture(table: Path, row: list[str], columns: tuple[str, str]) -> bool:
    """Whether the first line is no header: so that a header of other words is not taken for a picture."""
    return columns[0] == "path" and len(row) == 2 and (table.parent / row[0]).is_file()


def _text(path: Path) -> io.StringIO:
    try:
        return io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
