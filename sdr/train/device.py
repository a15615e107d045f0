"""Where to compute."""

import os

import torch

from sdr.errors import UserError


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU; `$SDR_DEVICE` decides otherwise (`cpu`, `cuda:1`, …).

    Raises:
        UserError: a launcher has started several processes: each would write the same output.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("SDR_LAUNCH starts several processes, but a stage runs in one so far: start one")
    return torch.device(os.environ.get("SDR_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))
