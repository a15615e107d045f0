"""Checkpoints for going on after an interruption: one file beside the pipeline, never an output of it.

The file's name is a fingerprint of all that the training depends on: another parameter, data set or program never
resumes it. It is written whole or not at all, and deleted when the training is done.
"""

import hashlib
import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sdr.outputs import output_file


def fingerprint(**parts: object) -> str:
    """Hash values that JSON can hold, and the source text of this package."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


class Checkpoint:
    """The last state of one training, under `$SDR_SCRATCH` (default: `.scratch` in the repository).

    Args:
        name: from `fingerprint`.
        seconds: least time between two saves.
    """

    def __init__(self, name: str, seconds: float = 60.0):
        root = os.environ.get("SDR_SCRATCH") or Path(os.environ.get("DVC_ROOT", ".")) / ".scratch"
        self.path = Path(root) / f"{name}.pt"
        self._seconds, self._saved = seconds, time.monotonic()

    def load(self) -> dict | None:
        """Return the saved state; None if there is none or it cannot be read (then the training starts anew)."""
        if not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            print(f"{self.path}: not a readable checkpoint ({error}); starting anew")
            return None

    def save(self, state: Callable[[], dict]) -> None:
        """Save `state()` if the last save is long ago."""
        if time.monotonic() - self._saved > self._seconds:
            with output_file(self.path) as partial:
                torch.save(state(), partial)
            self._saved = time.monotonic()

    def remove(self) -> None:
        """Forget the state: the training is done."""
        self.path.unlink(missing_ok=True)
