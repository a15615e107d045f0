"""The batches of a detector's training: which images, mirrored or not, at which size, are functions of (seed, t)."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from sdr.base.errors import UserError
from sdr.base.randomness import derive, numpy_rng
from sdr.detect.components import resize, resized_shape
from sdr.detect.sets import Annotation

FLIP = 0.5  # chance that an image is mirrored
_THREADS = min(8, os.cpu_count() or 1)


class Images(Protocol):
    """Where images come from, `sdr.detect.sets.DetectionSet` say."""

    def image(self, id: str) -> np.ndarray:
        """Image → H×W×3 uint8; called by several threads at once."""


class Item(NamedTuple):
    """One image of a batch."""

    annotation: Annotation
    flip: bool
    size: int  # its short side becomes this, pixels


class Batches:
    """Endless batches of images that are all wider than high, or all not, so that little is padding.

    Each kind has its own endless row of permutations, cut into batches; the kinds take turns in proportion to their
    numbers. So every image comes equally often, and batch t is known without those before it.

    Args:
        annotations: of the images that are drawn.
        size: images a batch.
        sides: short sides, one drawn for each image.
        flip: chance that an image is mirrored.
    """

    def __init__(self, annotations: list[Annotation], size: int, sides: Sequence[int], flip: float, *key: int | str):
        self._annotations, self._size, self._key = annotations, size, key
        self._sides, self._flip = np.array(sides), flip
        wide = np.array([a.width > a.height for a in annotations])
        self._kinds = [np.flatnonzero(wide), np.flatnonzero(~wide)]

    def __call__(self, t: int) -> list[Item]:
        """Batch t."""
        n, n_other = len(self._annotations), len(self._kinds[1])
        before, after = t * n_other // n, (t + 1) * n_other // n  # batches of kind 1 so far
        kind = after - before
        number = before if kind else t - before
        places = np.arange(number * self._size, (number + 1) * self._size)
        rng = numpy_rng(*self._key, "augmentation", t)
        flips = rng.random(self._size) < self._flip
        sides = rng.choice(self._sides, self._size)
        return [
            Item(self._annotations[i], bool(f), int(s)) for i, f, s in zip(self._indices(kind, places), flips, sides)
        ]

    def _indices(self, kind: int, places: np.ndarray) -> Iterator[int]:
        """The images at these places (consecutive) of the row of a kind."""
        members = self._kinds[kind]
        orders = {
            epoch: numpy_rng(*self._key, "order", kind, epoch).permutation(members)
            for epoch in range(places[0] // len(members), places[-1] // len(members) + 1)
        }
        return (int(orders[place // len(members)][place % len(members)]) for place in places)


def trainable(annotations: list[Annotation], n_classes: int, split: str) -> list[Annotation]:
    """Drop the images without objects; difficult objects stay, as in the protocol.

    Raises:
        UserError: no image is left, or a label or box cannot be trained with.
    """
    kept = [a for a in annotations if len(a.boxes)]
    if not kept:
        raise UserError(f"no image of the split {split} has an object: there is nothing to train a detector with")
    for a in kept:
        if a.labels.min() < 1 or a.labels.max() > n_classes:
            raise UserError(f"image {a.id}: labels must be 1 to {n_classes}, got {a.labels.tolist()}")
        if not (np.isfinite(a.boxes).all() and (a.boxes[:, 2:] > a.boxes[:, :2]).all()):
            raise UserError(f"image {a.id}: boxes must have a positive width and height, got {a.boxes.tolist()}")
    return kept


def without_crowds(annotations: list[Annotation]) -> list[Annotation]:
    """The same without COCO's crowds, which no box of a detector can be trained with."""
    return [
        replace(a, boxes=a.boxes[~a.difficult], labels=a.labels[~a.difficult], difficult=a.difficult[~a.difficult])
        for a in annotations
    ]


def decoded(data: Images, batches: Iterable[list[Item]]) -> Iterator[tuple[list[Item], list[np.ndarray]]]:
    """Yield each batch and its images; while one batch is used, threads decode the next."""
    waiting = None
    with ThreadPoolExecutor(_THREADS) as pool:
        for batch in batches:
            ahead = batch, [pool.submit(data.image, item.annotation.id) for item in batch]
            if waiting is not None:
                yield waiting[0], [future.result() for future in waiting[1]]
            waiting = ahead
        if waiting is not None:
            yield waiting[0], [future.result() for future in waiting[1]]


def model_input(image: np.ndarray, device: torch.device) -> Tensor:
    """H×W×3 uint8 → 3×H×W float32 in [0, 1], which the model normalises itself."""
    return torch.from_numpy(image).to(device).permute(2, 0, 1).to(torch.float32) / 255


def training_example(image: np.ndarray, item: Item, longest: int, device: torch.device) -> tuple[Tensor, dict]:
    """Mirror and resize an image and its boxes.

    Args:
        image: H×W×3 uint8.
        longest: the long side becomes this at most, pixels.

    Returns:
        3×h×w float32 in [0, 1], and torchvision's target: boxes n×4 float32 and labels n int64.
    """
    x = model_input(image, device)
    height, width = x.shape[-2:]
    boxes = torch.from_numpy(item.annotation.boxes.reshape(-1, 4)).to(device)
    if item.flip:
        x = x.flip(-1)
        left, top, right, bottom = boxes.unbind(1)
        boxes = torch.stack([width - right, top, width - left, bottom], dim=1)  # coordinates are continuous
    shape = resized_shape(height, width, item.size, longest)
    x = resize(x, shape)
    boxes = boxes * boxes.new_tensor([shape[1] / width, shape[0] / height] * 2)
    return x, {"boxes": boxes, "labels": torch.from_numpy(item.annotation.labels).to(device)}


def generators(n: int, device: torch.device, *key: int | str) -> list[torch.Generator]:
    """Generators for the images 0 … n-1 of a batch."""
    return [torch.Generator(device).manual_seed(derive(*key, i)) for i in range(n)]
