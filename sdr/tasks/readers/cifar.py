"""CIFAR-10 and CIFAR-100, by torchvision: 32×32 pixels, many to a file.

The files are pickles, which can run code when they are read. torchvision reads them only where their MD5 is that of
the official ones.
"""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sdr.corpus.entries import Entry, Loaded
from sdr.tasks.image import from_picture
from sdr.tasks.readers.by_torchvision import construct, fetch
from sdr.tasks.readers.reader import Reader, Splits, reader

_SIDE = 32


def _read(kind: str, folder: str, root: Path) -> Splits:
    return {
        split: _entries(construct(kind, root, root / folder / "*", train=split == "train"), f"{folder}/{split}")
        for split in ("train", "test")
    }


def _entries(dataset, where: str) -> list[Entry]:
    names = [f"{where}#{index}" for index in range(len(dataset))]
    return [
        Entry(dataset.classes[number], name, partial(_load, pixels, name))
        for name, pixels, number in zip(names, dataset.data, dataset.targets, strict=True)
    ]


def _load(pixels: np.ndarray, name: str, size: int) -> Loaded:
    return from_picture(Image.fromarray(pixels), name, size)


def _cifar(n_classes: int, folder: str, files: tuple[str, ...]) -> Reader:
    kind = f"CIFAR{n_classes}"
    return reader(
        kind.lower(),
        partial(_read, kind, folder),
        metric="top1",
        n_classes=n_classes,
        sizes={"train": 50000, "test": 10000},
        folders=tuple(f"{folder}/{file}" for file in files),
        get=f"unpack cifar-{n_classes}-python.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html there",
        fetch=partial(fetch, kind),
        side=_SIDE,
    )


CIFAR10 = _cifar(
    10,
    "cifar-10-batches-py",
    (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"),
)
CIFAR100 = _cifar(100, "cifar-100-python", ("train", "test", "meta"))
