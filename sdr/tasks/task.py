"""A prepared task on disk: labelled images of each split."""

import csv
import json
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from sdr.base.errors import UserError
from sdr.base.params import Section

SPLITS = ("train", "val", "test")  # val is optional


class TaskSpec(Section):
    """One entry of section `tasks`; its name there is the task's name."""

    source: str
    """builtin; folder or csv: $SDR_DATA_TASKS/NAME; or a data set of the protocol by its name, such as pets."""
    metric: Literal["top1", "mean_per_class", "map"]
    """top1 accuracy, mean of the classes' accuracies, or mean average precision of several labels an image."""
    download: bool = False
    """Fetch a data set of the protocol where its host still serves the files."""
    partial: bool = False
    """Take splits of another size than the official ones; the numbers then compare with nobody's."""
    folder: str | None = Field(default=None, min_length=1)
    """Of sources folder and csv: where it lies in $SDR_DATA_TASKS, if its folder has another name."""
    test_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Of the same: the share of each class that becomes the test split, by the hash of a file's name, where there is
    none."""


class Task:
    """A labelled task.

    Attributes:
        name: the task's name.
        metric: "top1", "mean_per_class" or "map".
        classes: names of the C classes, sorted.
        multilabel: whether an image may have several labels.
        meta: what `meta.json` says.
    """

    def __init__(self, folder: Path, meta: dict, rows: list[dict[str, str]]):
        self.meta = meta
        self.name, self.metric, self.classes = meta["task"], meta["metric"], meta["classes"]
        self.multilabel = bool(meta["multilabel"])
        self.folder, self._rows = folder, rows

    @classmethod
    def open(cls, folder: str | Path) -> "Task":
        """Open a prepared task.

        Raises:
            UserError: there is none.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / "meta.json").read_text())
            with (folder / "labels.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                rows = list(csv.DictReader(file))
        except FileNotFoundError as error:
            missing = error.filename
            raise UserError(f"{missing}: not found; run `dvc repro prepare_task@{folder.name}` first") from None
        return cls(folder, meta, rows)

    @property
    def has_val(self) -> bool:
        """Whether the task comes with a validation split of its own."""
        return self.meta["n_val"] > 0

    def images(self, split: str) -> np.ndarray:
        """Return the images of a split ("train", "val" or "test"), memory-mapped uint8 n×S×S×3."""
        return np.load(self.folder / f"{split}.npy", mmap_mode="r", allow_pickle=False)

    def targets(self, split: str) -> np.ndarray:
        """Return the classes of a split's images: int64 n, or bool n×C where `multilabel`."""
        labels = [row["label"] for row in self._rows if row["split"] == split]
        return encode(labels, self.classes, self.multilabel)

    @cached_property
    def origins(self) -> dict[str, list[str]]:
        """Where the images of each split come from."""
        return {split: [row["origin"] for row in self._rows if row["split"] == split] for split in SPLITS}


def encode(labels: list[str], classes: list[str], multilabel: bool) -> np.ndarray:
    """Return class numbers, int64 n; or, of labels joined by ";", bool n×C."""
    number = {label: index for index, label in enumerate(classes)}
    if not multilabel:
        return np.array([number[label] for label in labels], dtype=np.int64)
    targets = np.zeros((len(labels), len(classes)), dtype=bool)
    for row, joined in enumerate(labels):
        targets[row, [number[label] for label in split_labels(joined)]] = True
    return targets


def split_labels(joined: str) -> list[str]:
    """Return the labels of one image of a multi-label task, which are joined by ";"."""
    return [label for label in joined.split(";") if label]
