"""Artifacts as the report reads them: whatever is missing or broken is named, with its cure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdr.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def read_json(path: str | Path, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Read an object that has at least these keys.

    Raises:
        UserError: it is missing, not valid or incomplete.
    """
    try:
        value = json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: missing; run `dvc repro`, which makes it") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON ({error}); remove it and run `dvc repro`") from None
    if lacking := [key for key in keys if key not in value]:
        raise UserError(f"{path}: lacks {', '.join(lacking)}; remove it and run `dvc repro`")
    return value


def read_csv(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a table that has at least these columns.

    Raises:
        UserError: it is missing, not valid or incomplete.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"network": str, "path": str, "domain": str})
    except FileNotFoundError:
        raise UserError(f"{path}: missing; run `dvc repro`, which makes it") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise UserError(f"{path}: not a CSV table ({error}); remove it and run `dvc repro`") from None
    if lacking := [column for column in columns if column not in table]:
        raise UserError(f"{path}: lacks the columns {', '.join(lacking)}; remove it and run `dvc repro`")
    return table
