"""Where to compute."""

import os

import torch


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU; `$SDR_DEVICE` decides otherwise (`cpu`, `cuda:1`, …)."""
    return torch.device(os.environ.get("SDR_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))
