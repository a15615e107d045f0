"""The training images that networks are judged by: of a person's own pictures that look alike, one of each kind."""

import numpy as np

from sdr.tasks.copies import apart
from sdr.tasks.task import Task


def judged_by(task: Task) -> tuple[np.ndarray, np.ndarray, int]:
    """Return images (uint8 `n×S×S×3`), their targets, and how many training images were left out, as `copies.apart` says."""
    images, targets, looks = task.images("train"), task.targets("train"), task.thumbnails("train")
    if looks is None or len(rows := apart(looks, targets)) == len(targets):
        return images, targets, 0
    return images[rows], targets[rows], len(targets) - len(rows)
