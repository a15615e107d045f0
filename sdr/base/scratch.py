"""What is kept between runs but is no output: checkpoints, scores so far, live rows, the log of runs."""

import os
from pathlib import Path


def scratch() -> Path:
    """Where it lies: `$SDR_SCRATCH`, or `.scratch` in the repository."""
    return Path(os.environ.get("SDR_SCRATCH") or Path(os.environ.get("DVC_ROOT", "."), ".scratch"))
