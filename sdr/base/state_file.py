"""One state of a training in one file: a line of header that `head -1 FILE` shows, then what `torch.save` writes.

The header names the stage, the training and the step, and holds the sha256 of all the rest of the file, its own
other fields included: damage anywhere is recognised, and no file is mistaken for a state of another training.
"""

import errno
import hashlib
import json
import os
import pickle
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import torch
from torch import Tensor

FORMAT, VERSION = "sdr training state", 1
HEADER = 1024  # bytes, the newline at the end included
_START = json.dumps({"format": FORMAT})[:-1].encode()
_NO_SHA = "0" * 64


class NotUsableError(Exception):
    """A file that is no whole state of this training; the text says why."""


def write_state(path: Path, state: dict, stage: str, training: str, step: int) -> None:
    """Write `state` to `path`, whole and on the disk when this returns, or not at all.

    Args:
        state: tensors, numbers, strings, None, lists, tuples and dicts of them; nothing else.
        training: tells the trainings of a stage apart.

    Raises:
        TypeError: `state` holds something else, which could be written but not read.
        OSError: of the disk, naming `path`; what was there before is still there.
    """
    _check(state, "state")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            _write(file, state, {"stage": stage, "training": training, "step": step})
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a failed write does not know what it wrote to
        raise
    finally:
        partial.unlink(missing_ok=True)


def read_state(path: Path, stage: str, training: str) -> dict:
    """Return the state in `path`, its tensors in the memory of the CPU. No code in the file is run.

    Raises:
        NotUsableError: the file is truncated, damaged, no state at all, or of another training or version.
        OSError: it is not there, or may not be read.
    """
    try:
        with path.open("rb") as file:
            _verify(file, stage, training)
            file.seek(HEADER)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise NotUsableError("it holds something else than plain data, which is not loaded") from None
    except (RuntimeError, EOFError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        raise NotUsableError(f"its content cannot be loaded ({first_line})") from None
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise NotUsableError("the disk cannot read it (input/output error)") from None
    if not isinstance(state, dict):
        raise NotUsableError("its content is not a state")
    return state


class _Hashing:
    """What `torch.save` writes to: passes on to `file`, and hashes on the way, so that nothing is read again."""

    def __init__(self, file: BinaryIO):
        self._file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: memoryview | bytes) -> int:
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        pass


def _write(file: BinaryIO, state: dict, fields: dict) -> None:
    file.write(bytes(HEADER))
    out = _Hashing(file)
    try:
        torch.save(state, cast(BinaryIO, out))  # which asks for these two methods alone
    except RuntimeError as error:  # what it raises when `write` has failed: it cannot end its archive
        raise error.__context__ or error from None
    out.digest.update(_header(fields, out.size, _NO_SHA))
    file.seek(0)
    file.write(_header(fields, out.size, out.digest.hexdigest()))


def _header(fields: dict, size: int, sha: str) -> bytes:
    text = json.dumps({"format": FORMAT, "version": VERSION, **fields, "bytes": size, "sha256": sha})
    if len(text) >= HEADER:
        raise ValueError(f"the name of the stage is too long: {fields['stage']}")
    return text.ljust(HEADER - 1).encode() + b"\n"


def _verify(file: BufferedReader, stage: str, training: str) -> None:
    raw = file.read(HEADER)
    size = file.seek(0, os.SEEK_END)
    if not raw:
        raise NotUsableError("it is empty")
    if raw[: len(_START)] != _START[: len(raw)]:
        raise NotUsableError("it is not a checkpoint of this program")
    if size < HEADER:
        raise NotUsableError(f"it is truncated: {size} bytes, less than the header")
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotUsableError("its header is damaged") from None
    if (version := header.get("version")) != VERSION:
        raise NotUsableError(f"it is of version {version} of the format, this program reads {VERSION}")
    if header.get("stage") != stage:
        raise NotUsableError(f"it is of another stage, {header.get('stage')}")
    if header.get("training") != training:
        raise NotUsableError(f"it is of another training, {header.get('training')}")
    if (whole := header.get("bytes")) != size - HEADER:
        raise NotUsableError(f"it is truncated or damaged: {size - HEADER} bytes instead of {whole}")
    file.seek(HEADER)
    digest, sha = hashlib.file_digest(file, "sha256"), str(header.get("sha256"))
    digest.update(raw.replace(sha.encode(), _NO_SHA.encode()))
    if digest.hexdigest() != sha:
        raise NotUsableError("it is damaged: its sha256 is not that in its header")


def _check(value: object, where: str) -> None:
    """Exact types: a float64 of NumPy is a float, too, and is not loadable with `weights_only`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check(key, f"a key of {where}")
            _check(inner, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple) and type(value) in (list, tuple):
        for i, inner in enumerate(value):
            _check(inner, f"{where}[{i}]")
    elif not isinstance(value, Tensor) and type(value) not in (bool, int, float, str, type(None)):
        raise TypeError(f"{where} is a {type(value).__name__}, which a checkpoint cannot hold")


def _sync_folder(folder: Path) -> None:
    """Without this a power failure may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
