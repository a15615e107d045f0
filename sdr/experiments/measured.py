"""What experiments measured, as `make tables` collects it: `metrics/experiments/SET.csv`, a line a row and seed."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from sdr.base.errors import UserError
from sdr.report.scores import PROTOCOLS

FOLDER = Path("metrics/experiments")
COSTS = ("images", "teramacs", "teramacs_in_all", "seconds")
_NEEDED = ("row", "seed", *PROTOCOLS, *COSTS, "commit")


@dataclass(frozen=True)
class Line:
    """A row with one seed."""

    row: str
    seed: int
    numbers: dict[str, float]
    """Column → value: linear, knn (means over tasks, %), linear.TASK, knn.TASK, spread, and `COSTS`. Empty cells are left out."""
    commit: str
    """That the experiment was run from."""


def read_lines(file: Path) -> list[Line]:
    """All lines; none if there is no file.

    Raises:
        UserError: a column is missing, a cell is no number, or a row has a seed twice.
    """
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if lacking := [column for column in _NEEDED if column not in (reader.fieldnames or ())]:
            raise UserError(f"{file}: lacks the columns {', '.join(lacking)}; remove it and run `make tables`")
        found = [_line(file, reader.line_num, cells) for cells in reader]
    seen = [(line.row, line.seed) for line in found]
    if twice := sorted({key for key in seen if seen.count(key) > 1}):
        row, seed = twice[0]
        raise UserError(f"{file}: {row!r} has seed {seed} twice; remove it and run `make tables`")
    return found


def _line(file: Path, number: int, cells: dict[str, str | None]) -> Line:
    try:
        columns = [c for c in cells if c in (*PROTOCOLS, *COSTS, "spread") or c and c.startswith(("linear.", "knn."))]
        numbers = {column: float(cells[column]) for column in columns if cells[column] not in ("", None)}
        if wrong := [column for column, value in numbers.items() if not math.isfinite(value)]:
            raise ValueError(f"{wrong[0]} is {numbers[wrong[0]]}")
        return Line(cells["row"], int(cells["seed"]), numbers, cells["commit"] or "")
    except (TypeError, ValueError) as error:
        raise UserError(f"{file}, line {number}: {error}; remove it and run `make tables`") from None
