"""A small task on disk, as the stage `prepare_task` leaves it: three colours, told apart by a network or the eye."""

import csv
import json
from pathlib import Path

import numpy as np

CLASSES = ["blue", "green", "red"]


def write_task(folder: Path, n_val: int = 0, size: int = 12, noise: int = 60, seed: int = 0) -> Path:
    """Write train (30), val and test (15) images of `size` pixels; a class is the brightest channel, under noise."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows, sizes = [], {"train": 30, "val": n_val, "test": 15}
    for split, n in sizes.items():
        labels = np.arange(n) % 3
        images = 100 + rng.normal(0, noise, (n, size, size, 3))
        images[np.arange(n), :, :, 2 - labels] += 60
        if n:
            np.save(folder / f"{split}.npy", images.clip(0, 255).astype(np.uint8))
        rows += [(split, i, CLASSES[label], f"{split}{i}") for i, label in enumerate(labels)]
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("split", "index", "label", "origin"), *rows])
    meta = {"task": folder.name, "metric": "top1", "multilabel": False, "classes": CLASSES}
    counts = {f"n_{split}": n for split, n in sizes.items()}
    (folder / "meta.json").write_text(json.dumps(meta | counts))
    return folder
