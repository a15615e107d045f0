"""Average precision of detections by the rules of PASCAL VOC, at the IoU thresholds .50, .55 … .95.

Each detection is compared with the object of its class that it overlaps most, difficult and already found
objects included. IoU above the threshold (not equal to it): a difficult object makes the detection count
neither way, however often; the first detection of any other object, by descending score, is a hit, the
later ones are false alarms. Difficult objects need not be found. These are the rules of detectron2's
PascalVOCDetectionEvaluator, and the boxes of `Annotation` give the devkit's IoU without its "+ 1".
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from sdr.base.errors import UserError
from sdr.detect.sets import Annotation

THRESHOLDS = np.arange(50, 100, 5) / 100
# Recalls at which precision is read. As floats, 3/10 found does not reach the fourth of these, 0.30000000000000004;
# detectron2 and COCO have the same floats, and published numbers come from them.
_RECALLS = {"11": np.linspace(0, 1, 11), "101": np.linspace(0, 1, 101)}


class DivergedError(UserError):
    """The loss of a detector, or what it detects, is no longer finite."""


class Detections(NamedTuple):
    """What a detector found in one image."""

    boxes: np.ndarray  # n×4 float, coordinates as in `Annotation`
    scores: np.ndarray  # n float, higher is surer
    labels: np.ndarray  # n int64, 1 … C


def evaluate(
    truth: Sequence[Annotation],
    detections: Sequence[Detections],
    n_classes: int,
    points: Literal["11", "area", "101"] = "11",
) -> dict:
    """Return the average precisions.

    Args:
        truth: the objects of each image.
        detections: what was found in each, same order. Equal scores are ranked in this order.
        n_classes: number C of classes.
        points: precision is averaged over 11 recalls (VOC2007), 101 (COCO), or all ("area", VOC2010).

    Returns:
        "ap" (mean over the thresholds), "ap50", "ap75": percent, mean over all classes, where a class without
        an object to find counts 0; "ap_present", "ap50_present", "ap75_present": mean over the classes with
        one (0 if there is none); "per_class": label → {"ap", "ap50", "ap75"}, or None without an object.

    Raises:
        DivergedError: a box or a score is not finite.
    """
    best = [_match(*pair) for pair in zip(truth, detections, strict=True)]
    offsets = np.cumsum([0, *(len(annotation.labels) for annotation in truth)])
    overlap = _join([overlap for overlap, _ in best], np.float64)
    object_ = _join([index + offset for (_, index), offset in zip(best, offsets)], np.int64)
    scores = _join([found.scores for found in detections], np.float64)
    labels = _join([found.labels for found in detections], np.int64)
    true_labels = _join([annotation.labels for annotation in truth], np.int64)
    difficult = _join([annotation.difficult for annotation in truth], bool)

    values = np.full((n_classes, len(THRESHOLDS)), np.nan)
    for row, label in enumerate(range(1, n_classes + 1)):
        n_objects = int((~difficult[true_labels == label]).sum())
        if n_objects:
            mine = np.flatnonzero(labels == label)
            mine = mine[np.argsort(-scores[mine], kind="stable")]
            for column, threshold in enumerate(THRESHOLDS):
                hits = _hits(overlap[mine] > threshold, object_[mine], difficult)
                values[row, column] = 100 * _average_precision(hits, n_objects, points)
    return _summary(values)


def _match(truth: Annotation, found: Detections) -> tuple[np.ndarray, np.ndarray]:
    """For each of n detections: the largest IoU with an object of its class (n float64), and which (n int64)."""
    if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
        raise DivergedError(f"{truth.id}: a detection is not finite; look for a network that diverged")
    if not len(truth.labels) or not len(found.labels):
        return np.zeros(len(found.labels)), np.zeros(len(found.labels), dtype=np.int64)
    one, other = found.boxes[:, None].astype(np.float64), truth.boxes[None].astype(np.float64)  # n×1×4, 1×m×4
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    common = sides.clip(min=0).prod(axis=-1)  # n×m
    area, other_area = ((box[..., 2:] - box[..., :2]).clip(min=0).prod(axis=-1) for box in (one, other))
    iou = np.where(found.labels[:, None] == truth.labels, common / (area + other_area - common), -1.0)
    index = iou.argmax(axis=1)  # of equal ones, the first object in the file
    return iou.max(axis=1), index


def _hits(over: np.ndarray, object_: np.ndarray, difficult: np.ndarray) -> np.ndarray:
    """Return bool: hit or false alarm, of the ranked detections that count.

    Args:
        over: n bool, whether the detection lies on its object.
        object_: n int64, which one; anything where `over` is false.
        difficult: m bool, of all objects.
    """
    counts = ~over
    counts[over] = ~difficult[object_[over]]
    hits = np.zeros(len(over), dtype=bool)
    candidates = np.flatnonzero(over & counts)
    hits[candidates[np.unique(object_[candidates], return_index=True)[1]]] = True  # the first on each object
    return hits[counts]


def _average_precision(hits: np.ndarray, n_objects: int, points: str) -> float:
    """Return the average precision in [0, 1] of ranked hits and false alarms."""
    found = np.cumsum(hits)
    recall = found / n_objects
    precision = found / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or any higher one
    if points == "area":
        return float((best * np.diff(recall, prepend=0.0)).sum())
    at = np.searchsorted(recall, _RECALLS[points])  # the first detection with that recall
    return float(np.append(best, 0.0)[at].mean())


def _join(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=dtype), *arrays]).astype(dtype)


def _summary(values: np.ndarray) -> dict:
    """Name the means of C×10 average precisions in percent; NaN rows are classes without an object."""
    columns = {"ap": slice(None), "ap50": slice(0, 1), "ap75": slice(5, 6)}
    each = {key: values[:, column].mean(axis=1) for key, column in columns.items()}  # C
    present = ~np.isnan(values[:, 0])
    result: dict = {key: float(np.nan_to_num(value).mean()) for key, value in each.items()}
    result |= {f"{key}_present": float(value[present].mean()) if present.any() else 0.0 for key, value in each.items()}
    result["per_class"] = {
        row + 1: {key: float(value[row]) for key, value in each.items()} if present[row] else None
        for row in range(len(values))
    }
    return result
