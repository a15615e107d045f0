"""Where to compute."""

import os

import torch

from sdr.base.errors import UserError
from sdr.base.ranks import join, world


def pick_device(several: bool = False) -> torch.device:
    """The GPU if there is one, else the CPU; `$SDR_DEVICE` decides otherwise (`cpu`, `cuda:1`, …).

    Args:
        several: the program knows how to run in several processes; each takes the GPU of its number, and they meet.

    Raises:
        UserError: a launcher has started several processes of a program that runs in one.
    """
    chosen = os.environ.get("SDR_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if world() == 1:
        return torch.device(chosen)
    if not several:
        raise UserError("a launcher has started several processes, but this stage runs in one: start one")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if chosen == "cuda" else torch.device(chosen)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    join(device)
    return device
