"""Outputs appear whole or not at all: they are written beside their place and renamed into it.

Of several processes that torchrun has started (`$RANK`) all write, and only what the first one wrote is kept.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def output_dir(path: str | Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `path` when the block ends without an error.

    What stood at `path` is replaced; whatever an earlier, killed run left half-written is removed.
    """
    path = Path(path)
    partial = _partial(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if not _kept():
            return
        _as_the_user_has_it(partial)
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def output_file(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; it is renamed to `path` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.touch()
    mode = partial.stat().st_mode  # as the user's umask has it; what is written may come with another one
    try:
        yield partial
        if _kept():
            partial.chmod(mode)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with output_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=False, allow_nan=False) + "\n")


def write_csv(path: str | Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows (all with the keys of the first) as CSV with a header, whole or not at all."""
    rows = list(rows)
    with output_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*folders: str) -> str:
    """Hash the contents of all files directly in `folders`."""
    total = hashlib.sha256()
    for file in sorted(file for folder in folders for file in Path(folder).iterdir() if file.is_file()):
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()


def scratch() -> Path:
    """Where lies what is kept between runs but is no output: checkpoints, scores so far, live rows, the log of runs.

    `$SDR_SCRATCH`, or `.scratch` in the repository.
    """
    return Path(os.environ.get("SDR_SCRATCH") or Path(os.environ.get("DVC_ROOT", "."), ".scratch"))


def _as_the_user_has_it(folder: Path) -> None:
    """Give all that lies in a new folder the modes of the user's umask: some libraries write for the user alone."""
    mode = folder.stat().st_mode
    for parent, folders, files in os.walk(folder):
        for name, kept in [*((name, 0o777) for name in folders), *((name, 0o666) for name in files)]:
            if not (path := Path(parent, name)).is_symlink():
                path.chmod(mode & kept)


def _kept() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial" + ("" if _kept() else f".{os.environ['RANK']}"))
