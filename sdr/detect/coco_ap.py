"""Average precision by COCO's rules, computed by faster-coco-eval; and by which rules a set is scored.

Precision is read at 101 recalls. A detection takes the free object of its class that it overlaps most, at or above the
threshold; what lies in a crowd counts neither way; of an image's detections the best 100 count. Classes without an
object are left out of the means.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout

import numpy as np

from sdr.detect import voc_ap
from sdr.detect.sets import Annotation, Rules
from sdr.detect.voc_ap import Detections, DivergedError


def measure(rules: Rules, truth: Sequence[Annotation], detections: Sequence[Detections], n_classes: int) -> dict:
    """Average precisions as of `voc_ap.evaluate`, by a set's own rules: VOC2007's 11 points, or COCO's."""
    if rules == "voc":
        return voc_ap.evaluate(truth, detections, n_classes)
    return evaluate(truth, detections, n_classes)


def evaluate(truth: Sequence[Annotation], detections: Sequence[Detections], n_classes: int) -> dict:
    """What `voc_ap.evaluate` returns, by COCO's rules: "ap" is "ap_present", as absent classes never count.

    Raises:
        DivergedError: a box or a score is not finite.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    for annotation, found in zip(truth, detections, strict=True):
        if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
            raise DivergedError(f"{annotation.id}: a detection is not finite; look for a network that diverged")
    objects, results = [], []
    for image, (annotation, found) in enumerate(zip(truth, detections, strict=True), 1):
        for box, label, crowd in zip(annotation.boxes, annotation.labels, annotation.difficult, strict=True):
            row = _box(box) | {"image_id": image, "category_id": int(label), "id": len(objects) + 1}
            objects.append(row | {"iscrowd": int(crowd)})
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True):
            results.append(_box(box) | {"image_id": image, "category_id": int(label), "score": float(score)})
    present = {int(label) for a in truth for label in a.labels[~a.difficult]}
    precision = np.full((10, n_classes), np.nan)
    if results and present:
        with redirect_stdout(io.StringIO()):
            images = [{"id": i, "width": a.width, "height": a.height} for i, a in enumerate(truth, 1)]
            categories = [{"id": label, "name": str(label)} for label in range(1, n_classes + 1)]
            index = COCO({"images": images, "annotations": objects, "categories": categories})
            scored = COCOeval_faster(index, index.loadRes(results), "bbox")
            scored.evaluate()
            scored.accumulate()
        precision = scored.eval["precision"][:, :, :, 0, -1].mean(axis=1)  # thresholds × classes; -1: no object
    per_class = {}
    for label in range(1, n_classes + 1):
        values = np.nan_to_num(100 * precision[:, label - 1]).clip(min=0)
        named = {"ap": values.mean(), "ap50": values[0], "ap75": values[5]}
        per_class[label] = {key: float(value) for key, value in named.items()} if label in present else None
    rows = [row for row in per_class.values() if row]
    means = {key: float(np.mean([row[key] for row in rows])) if rows else 0.0 for key in ("ap", "ap50", "ap75")}
    return means | {f"{key}_present": value for key, value in means.items()} | {"per_class": per_class}


def _box(box: np.ndarray) -> dict:
    left, top, right, bottom = map(float, box)
    return {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
