"""How far raw pixels go: the accuracy that features have to beat."""

import numpy as np
from PIL import Image

NEIGHBOURS = 5
SIDE = 32
MOST_TRAIN, MOST_TEST = 5000, 2000  # evenly spaced images of larger splits


def raw_knn(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """Return the accuracy in % of 5 nearest neighbours (Euclidean, majority) on raw 32×32 RGB pixels.

    Args:
        train, test: uint8 n×S×S×3.
        train_labels, test_labels: int64 n, class numbers.
    """
    chosen, asked = _spread(len(train), MOST_TRAIN), _spread(len(test), MOST_TEST)
    known, unknown = _pixels(train[chosen]), _pixels(test[asked])
    distances = (known**2).sum(1) - 2 * unknown @ known.T  # the query's own length changes no order
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = train_labels[chosen][nearest]  # n×5
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    counts = np.stack([(votes == label).sum(1) for label in range(classes)], axis=1)
    return float(100 * (counts.argmax(1) == test_labels[asked]).mean())


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _pixels(images: np.ndarray) -> np.ndarray:
    """n×S×S×3 uint8 → n×3072 float32 in [0, 1]."""
    small = [Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image, dtype=np.float32).ravel() for image in small]) / 255
