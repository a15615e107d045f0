"""Mend what a kill leaves of the two files that DVC writes in place, before anything else runs.

python -m tools.recover

`.dvc/tmp/rwlock`, which names the files that running processes use: where it cannot be read every DVC command fails,
so it is removed, unless a DVC process of this work tree is still alive. `dvc.lock`: the last whole copy, which each
stage keeps beside the scratch files, is put back; what it lacks comes from the run cache.
"""

import json
import os
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError, program
from sdr.base.lock_copy import copy_of, save
from sdr.base.outputs import output_file


@program
def main() -> None:
    for line in [*mend_rwlock(Path(".")), *mend_lock(Path("."))]:
        print(line)


def mend_rwlock(root: Path) -> list[str]:
    """Remove a `.dvc/tmp/rwlock` that DVC cannot read; return what was done.

    Raises:
        UserError: it is broken, and a DVC process works in this work tree.
    """
    path = root / ".dvc/tmp/rwlock"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    if _is_rwlock(content):
        return []
    if alive := _processes(root):
        raise UserError(
            f"{path}: broken, but process {alive[0]} of DVC is at work here: wait for its end, then run the same command"
        )
    path.unlink()
    return [f"{path}: broken by an interruption, and no process of DVC is left: removed"]


def mend_lock(root: Path) -> list[str]:
    """Put back the last whole copy of a broken dvc.lock; return what was done. A whole one is copied."""
    path, copy = root / "dvc.lock", copy_of(root)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    if _is_lock(content):
        save(root)
        return []
    kept = copy.read_bytes() if copy.is_file() else b""
    if not _is_lock(kept):
        path.unlink()
        return [f"{path}: broken by an interruption, and there is no copy: removed; the run cache restores the stages"]
    with output_file(path) as partial:
        partial.write_bytes(kept)
    return [f"{path}: broken by an interruption: the copy of the last stage's start is put back"]


def _is_rwlock(content: bytes) -> bool:
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    try:
        SCHEMA(json.loads(content))
    except (ValueError, Invalid):
        return False
    return True


def _is_lock(content: bytes) -> bool:
    """Whether DVC reads it, and its last line is whole. A shorter whole one is an older one: less is up to date."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML, YAMLError
    from voluptuous import Invalid

    if not content.endswith(b"\n"):
        return False
    try:
        value: Any = YAML(typ="safe").load(content.decode())
        COMPILED_LOCKFILE_SCHEMA(value)
    except (UnicodeDecodeError, YAMLError, Invalid, ValueError):
        return False
    return True


def _processes(root: Path) -> list[int]:
    """Processes of DVC that work in this work tree, or below it."""
    import psutil

    found, here = [], root.resolve()
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        command, place = process.info["cmdline"] or [], process.info["cwd"]
        is_dvc = any(os.path.basename(word) == "dvc" for word in command[:3])
        if is_dvc and place and Path(place).is_relative_to(here) and process.info["pid"] != os.getpid():
            found.append(process.info["pid"])
    return found


if __name__ == "__main__":
    main()
