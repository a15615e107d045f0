"""What experiments measured: `metrics/experiments/SET.csv`, a line a row and seed, which names its commit and device."""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.outputs import write_csv
from sdr.report.scores import PROTOCOLS

FOLDER = Path("metrics/experiments")
COSTS = ("images", "teramacs", "teramacs_in_all", "seconds")
_FIRST, _LAST = ("row", "of", "seed", *PROTOCOLS), ("spread", *COSTS, "device", "experiment", "commit")
_OF_TASK = ("linear.", "knn.", "verdict.")  # and the task's name
VERDICTS = ("take", "none", "supernet")
"""What routing says of its choice, in one word: take it, no evidence for it, or rather try the super-net."""
Cells = dict[str, str]
"""Column → text of one line."""


@dataclass(frozen=True)
class Line:
    """A row with one seed."""

    row: str
    seed: int
    numbers: dict[str, float]
    """Column → value: linear, knn (means over tasks, %), linear.TASK, knn.TASK, spread, and `COSTS`. Empty cells are left out."""
    commit: str
    """That the experiment was run from."""
    device: str
    """That it was trained on: cpu, or the name of the GPU."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """Task → one of `VERDICTS`; empty where nothing was routed."""


def read_lines(file: Path) -> list[Line]:
    """All lines; none if there is no file.

    Raises:
        UserError: as `read_cells`, or a cell is no number.
    """
    return [_line(file, number, cells) for number, cells in enumerate(read_cells(file).values(), 2)]


def read_cells(file: Path) -> dict[tuple[str, int], Cells]:
    """Row, seed → cells, in the order of the file; none if there is no file.

    Raises:
        UserError: a column is missing, a seed is no number, or a row has a seed twice.
    """
    if not file.exists():
        return {}
    found: dict[tuple[str, int], Cells] = {}
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if lacking := [column for column in (*_FIRST, *_LAST) if column not in (reader.fieldnames or ())]:
            raise UserError(f"{file}: lacks the columns {', '.join(lacking)}; {_cure(file)}")
        for cells in reader:
            row, seed = cells["row"], cells["seed"]
            if None in cells or None in cells.values() or not seed.isdecimal():
                raise UserError(f"{file}, line {reader.line_num}: not a row with a seed; {_cure(file)}")
            if (row, int(seed)) in found:
                raise UserError(f"{file}: {row!r} has seed {seed} twice; {_cure(file)}")
            found[row, int(seed)] = cells
    return found


def write_cells(file: Path, lines: list[Cells]) -> None:
    """Write lines in one table, whole or not at all; a task that a line lacks is left empty."""
    tasks = dict.fromkeys(column for cells in lines for column in cells if column.startswith(_OF_TASK))
    columns = [*_FIRST, *sorted(tasks, key=lambda name: _OF_TASK.index(f"{name.partition('.')[0]}.")), *_LAST]
    write_csv(file, [{column: cells.get(column, "") for column in columns} for cells in lines])


def _line(file: Path, number: int, cells: Cells) -> Line:
    try:
        columns = [c for c in cells if c in (*PROTOCOLS, *COSTS, "spread") or c.startswith(("linear.", "knn."))]
        numbers = {column: float(cells[column]) for column in columns if cells[column]}
        if wrong := [column for column, value in numbers.items() if not math.isfinite(value)]:
            raise ValueError(f"{wrong[0]} is {numbers[wrong[0]]}")
        verdicts = {c.removeprefix("verdict."): cells[c] for c in cells if c.startswith("verdict.") and cells[c]}
        if unknown := sorted(set(verdicts.values()) - set(VERDICTS)):
            raise ValueError(f"no verdict is called {unknown[0]!r}")
        return Line(cells["row"], int(cells["seed"]), numbers, cells["commit"], cells["device"], verdicts)
    except ValueError as error:
        raise UserError(f"{file}, line {number}: {error}; {_cure(file)}") from None


def _cure(file: Path) -> str:
    return f"restore it (git checkout {file}), or remove it and run its experiments again"
