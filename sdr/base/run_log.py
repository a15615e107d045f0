"""What ran when: a line a stage in a file beside the pipeline, never an output of it, for outputs hold no clock.

`stages/__init__.py` imports this before anything slow, so that a run is timed from the start of its process.
"""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sdr.base.outputs import scratch

STATUSES = ("ok", "failed", "interrupted")

_HEADER = "stage,started,seconds,status\n"
_STARTED, _CLOCK = datetime.now(UTC), time.monotonic()


@dataclass(frozen=True)
class StageRun:
    """One run of a stage, whatever came of it.

    Attributes:
        stage: as DVC names it, `route@digits` say.
        started: UTC.
        seconds: from the start of the process to its end.
        status: one of `STATUSES`.
    """

    stage: str
    started: datetime
    seconds: float
    status: str


@contextmanager
def logged() -> Iterator[None]:
    """Log the stage whose program runs within: under DVC alone, and by the first of several processes alone."""
    status = "failed"
    try:
        yield
        status = "ok"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    except SystemExit as end:  # of a program that others did the work for: its line comes after that of the first
        status = "failed" if end.code else "ok"
        raise
    finally:
        stage = os.environ.get("DVC_STAGE")
        if stage and os.environ.get("RANK", "0") == "0":
            with suppress(OSError):  # a full disk, say: what cannot be logged must not hide how the stage ended
                append(log_file(), StageRun(stage, _STARTED, time.monotonic() - _CLOCK, status))


def log_file() -> Path:
    """Where the log is."""
    return scratch() / "runs.csv"


def append(file: Path, run: StageRun) -> None:
    """Add a line, in a single write at the end of the file: runs that end together do not mix theirs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    line = f"{run.stage},{run.started:%Y-%m-%dT%H:%M:%SZ},{run.seconds:.1f},{run.status}\n"
    with file.open("ab", buffering=0) as raw:
        raw.write((line if raw.tell() else _HEADER + line).encode())


def read_log(file: Path) -> list[StageRun]:
    """Return all runs in the order in which they ended; none without the file. Lines that are no run are skipped."""
    try:
        text = file.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [run for line in text.splitlines() if (run := _parsed(line))]


def _parsed(line: str) -> StageRun | None:
    try:
        stage, started, seconds, status = line.split(",")
        run = StageRun(stage, datetime.fromisoformat(started), float(seconds), status)
    except ValueError:  # the header, or cut off by a full disk
        return None
    whole = run.started.tzinfo == UTC and 0 <= run.seconds < math.inf and run.status in STATUSES
    return run if whole else None
