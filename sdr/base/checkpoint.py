"""Checkpoints: an interrupted training goes on from its last state, beside the pipeline, never an output of it.

A training has a folder, `$SDR_SCRATCH/training/STAGE-HASH`, named by a hash of all that it depends on, so another
parameter, data set or program never resumes it. In it lie `facts.json`, what the hash was made of, and the last
states, `step-00001200.ckpt`. The folder goes when the training is done.
"""

import contextlib
import errno
import functools
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from sdr.base.outputs import scratch, write_json
from sdr.base.params import Section
from sdr.base.state_file import NotUsableError, read_state, write_state

WEEK = 7 * 24 * 3600.0
STALLED = 600.0  # seconds: whoever writes a state writes some of it more often


def fingerprint(**parts: object) -> str:
    """Hash values that JSON can hold, the source text of this package and the version of torch."""
    return _digest(json.dumps([parts, _code(), torch.__version__], sort_keys=True, default=str))


class States:
    """The last states of one training, in one folder.

    Args:
        folder: made by the first `save`.
        stage, training: whose states these are; a file of any other is not used.
        seconds: least time between two saves, for `due`.
        keep: how many states stay, at least 1.

    Attributes:
        last: the file that was last loaded or saved.
    """

    def __init__(self, folder: Path, stage: str, training: str, seconds: float = 60.0, keep: int = 3):
        self.folder, self.stage = folder, stage
        self.last: Path | None = None
        self._training, self._seconds, self._keep = training, seconds, keep
        self._saved = time.monotonic()

    def load(self) -> dict | None:
        """Return the newest state that is whole, on the CPU; None if there is none.

        Files that cannot be used are named on stderr, with the reason. The next `save` deletes them.

        Raises:
            OSError: the folder could not be written to later.
        """
        _writable(self.folder)
        for file in (files := _states(self.folder)):
            try:
                state = read_state(file, self.stage, self._training)
            except NotUsableError as error:
                print(f"{file}: {error}; the one before is used", file=sys.stderr)
                continue
            self.last, self._saved = file, time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self.folder)  # in use: not to be cleaned up
            return state
        if files:
            print(f"{self.folder}: no checkpoint that can be used; starting anew", file=sys.stderr)
        return None

    def due(self) -> bool:
        """Is the last save `seconds` ago?"""
        return time.monotonic() - self._saved >= self._seconds

    def save(self, state: dict, step: int) -> Path:
        """Save now; then delete older states but `keep` in all, and those of later steps, which `load` did not use.

        Raises:
            OSError: the disk is full, say. The states before are all there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{step:08d}.ckpt"
        write_state(path, state, self.stage, self._training, step)
        self.last, self._saved = path, time.monotonic()
        files = _states(self.folder)
        kept = files[files.index(path) :][: self._keep]
        for file in [*({*files} - {*kept}), *_left_behind(self.folder)]:
            file.unlink(missing_ok=True)
        return path

    def remove(self) -> None:
        """Delete them all: the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Checkpoints(States):
    """The checkpoints of one training of a stage.

    Folders of other trainings of the stage (other parameters, say) are left alone: put the old values back, and they
    go on. A save deletes such a folder only if three others were used since, and it was not for a week: no running
    training leaves its folder alone for that long.

    Args:
        stage: a name that a file can have.
        facts: all that the training depends on, of what JSON can hold, and `Section`s. The source text of this package
            and the version of torch are added.
        seconds, keep: as of `States`.
    """

    def __init__(self, stage: str, facts: dict, seconds: float = 60.0, keep: int = 3):
        facts = facts | {"torch": torch.__version__, "code": _code()}
        text = json.dumps(facts, sort_keys=True, default=_plain)
        self._facts, training = json.loads(text), _digest(text)
        super().__init__(scratch() / "training" / f"{stage}-{training}", stage, training, seconds, keep)

    def load(self) -> dict | None:
        """As of `States`; if this training has no folder and others of the stage do, say what differs on stderr."""
        state = super().load()
        if state is None and not _states(self.folder) and (others := self._others()):
            print(self._difference(others), file=sys.stderr)
        return state

    def save(self, state: dict, step: int) -> Path:
        first = not (self.folder / "facts.json").exists()
        path = super().save(state, step)
        if first:
            write_json(self.folder / "facts.json", self._facts)
        for used, file in self._others()[3:]:
            if time.time() - used > WEEK:
                shutil.rmtree(file.parent, ignore_errors=True)
        return path

    def _others(self) -> list[tuple[float, Path]]:
        """(time of last use, last state) of other trainings of the stage, the last used first.

        They may be running, in processes that delete files and whole folders.
        """
        name, found = re.compile(re.escape(self.stage) + "-[0-9a-f]{16}"), []
        for folder in self.folder.parent.iterdir() if self.folder.parent.is_dir() else []:
            if name.fullmatch(folder.name) and folder != self.folder and (states := _states(folder)):
                with contextlib.suppress(FileNotFoundError):
                    found.append((folder.stat().st_mtime, states[0]))
        return sorted(found, reverse=True)

    def _difference(self, others: list[tuple[float, Path]]) -> str:
        newest = others[0][1]
        try:
            old = json.loads(newest.with_name("facts.json").read_text())
        except (OSError, ValueError):
            lines = ["unknown: its facts.json cannot be read"]
        else:
            lines = _differences(old, self._facts)
        return "\n  ".join(
            [f"{self.stage}: starting anew; {newest} is not resumed, for it differs in", *lines]
            + [
                f"it is left alone: with the old values it goes on ({len(others)} unfinished trainings of this stage are kept)"
            ]
        )


def _differences(old: object, new: object, at_most: int = 12) -> list[str]:
    """What differs between two JSON values, as lines `params.seed: 0 → 1`; of more than `at_most` the first."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    lines = [f"{name}: {_shown(before.get(name))} → {_shown(after.get(name))}" for name in changed]
    return lines if len(lines) <= at_most else [*lines[:at_most], f"and {len(lines) - at_most} more"]


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, value as JSON) of all that is neither a list nor a mapping with something in it."""
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.dumps(value, ensure_ascii=False)


def _shown(text: str | None) -> str:
    if text is None:
        return "(absent)"
    return text if len(text) <= 40 else f"{text[:20]}…{text[-8:]}"


def _states(folder: Path) -> list[Path]:
    """The files of states, the latest step first."""
    try:
        files = [file for file in folder.iterdir() if re.fullmatch(r"step-\d{8,}\.ckpt", file.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(files, key=lambda file: -int(file.stem.removeprefix("step-")))


def _left_behind(folder: Path) -> list[Path]:
    """Half-written states of processes that were killed."""
    out = []
    for file in folder.glob(".step-*.partial"):
        with contextlib.suppress(FileNotFoundError):  # another process's, just done
            if time.time() - file.stat().st_mtime > STALLED:
                out.append(file)
    return out


def _writable(folder: Path) -> None:
    """Find out before the training, not after a minute of it."""
    there = next(place for place in [folder.absolute(), *folder.absolute().parents] if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        read_only = os.statvfs(there).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(there))


@functools.cache  # what this process runs, even if somebody edits it
def _code() -> dict[str, str]:
    """Hash of each source file of this package."""
    root = Path(__file__).parents[2]
    files = sorted((root / "sdr").rglob("*.py"))
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in files}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> dict:
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    raise TypeError(f"a checkpoint cannot depend on a {type(value).__name__}: {value!r}")
