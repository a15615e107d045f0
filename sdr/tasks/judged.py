"""The training images that networks are judged by: of a person's own pictures that look alike, one of each kind."""

import numpy as np

from sdr.corpus.thumbnail import FILE as THUMBNAILS
from sdr.corpus.thumbnail import read_thumbnails
from sdr.tasks.copies import apart
from sdr.tasks.task import Task


def judged_by(task: Task) -> tuple[np.ndarray, np.ndarray, int]:
    """Return images (uint8 `n×S×S×3`), their targets, and how many training images were left out, as `copies.apart` says."""
    images, targets, looks = task.images("train"), task.targets("train"), thumbnails(task, "train")
    if looks is None or len(rows := apart(looks, targets)) == len(targets):
        return images, targets, 0
    return images[rows], targets[rows], len(targets) - len(rows)


def thumbnails(task: Task, split: str) -> np.ndarray | None:
    """Return the thumbnails of a split's images, n×256 int8; None of a task that is no person's own."""
    if not (task.folder / THUMBNAILS).exists():
        return None
    ends = np.cumsum([len(task.origins[name]) for name in task.origins])
    place = list(task.origins).index(split)
    return read_thumbnails(task.folder)[ends[place] - len(task.origins[split]) : ends[place]]
