"""A copy of dvc.lock that was whole when a stage began: DVC writes that file in place, and a kill may leave half of it."""

import contextlib
import hashlib
import os
from pathlib import Path

from sdr.base.outputs import output_file, scratch


def copy_of(root: Path) -> Path:
    """Where the copy of the work tree `root` lies; work trees may share the scratch folder."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]
    return scratch() / "dvc-lock" / f"{name}.lock"


def keep_copy() -> None:
    """Under DVC: copy dvc.lock, if it looks whole. DVC writes it only between stages."""
    root = os.environ.get("DVC_ROOT")
    if root and os.environ.get("RANK", "0") == "0":
        with contextlib.suppress(OSError):  # a stage runs without a copy, too
            save(Path(root))


def save(root: Path) -> None:
    """Copy the dvc.lock of a work tree, if it begins and ends as one.

    Raises:
        OSError: there is none, or the copy cannot be written.
    """
    content = (root / "dvc.lock").read_bytes()
    if content.startswith(b"schema:") and content.endswith(b"\n"):
        copy = copy_of(root)
        if not copy.exists() or copy.read_bytes() != content:
            with output_file(copy) as partial:
                partial.write_bytes(content)
