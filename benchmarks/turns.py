"""Times of things that take turns, so that what else the machine does meets all of them alike."""

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch


def now(device: torch.device) -> float:
    """Seconds on a clock, after all that the device was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()


def by_turns(
    runs: dict[str, Callable[[], object]], rounds: int, warm: int, steps: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of a step of each run, a value a round; a turn has `warm` untimed steps, then `steps` timed ones. Each
    round begins with another run."""
    names, found = list(runs), {name: [] for name in runs}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            for _ in range(warm):
                runs[name]()
            began = now(device)
            for _ in range(steps):
                runs[name]()
            found[name].append((now(device) - began) / steps)
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median, quartiles and ends."""
    keys = ("least", "lower_quartile", "median", "upper_quartile", "most")
    return dict(zip(keys, map(float, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))))


def ratio(above: list[float], below: list[float]) -> dict[str, float]:
    """Spread over the rounds of `above / below` within a round."""
    return spread([a / b for a, b in zip(above, below, strict=True)])
