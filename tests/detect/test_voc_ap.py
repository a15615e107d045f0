"""The VOC rules one by one, against a slow evaluator on VOC's own inclusive pixels, and against torchmetrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.detect.sets import Annotation
from sdr.detect.voc_ap import THRESHOLDS, Detections, evaluate

BOX, FAR = (10, 10, 20, 20), (60, 60, 70, 70)


def _truth(*objects, id="1"):
    """An image of objects (box, label[, difficult])."""
    return Annotation(
        id,
        100,
        100,
        np.array([each[0] for each in objects], dtype=np.float32).reshape(-1, 4),
        np.array([each[1] for each in objects], dtype=np.int64),
        np.array([len(each) > 2 and each[2] for each in objects], dtype=bool),
    )


def _found(*found):
    """Detections (box, score[, label])."""
    return Detections(
        np.array([each[0] for each in found], dtype=np.float64).reshape(-1, 4),
        np.array([each[1] for each in found], dtype=np.float64),
        np.array([each[2] if len(each) > 2 else 1 for each in found], dtype=np.int64),
    )


def _ap50(truth, found, points="11"):
    return evaluate([truth], [found], 1, points)["ap50"]


@pytest.mark.parametrize("points", ["11", "101", "area"])
def test_what_is_all_found_scores_100(points):
    truth = [_truth((BOX, 1), (FAR, 2)), _truth((BOX, 2)), _truth()]
    found = [_found((BOX, 0.9), (FAR, 0.2, 2)), _found((BOX, 0.1, 2)), _found()]
    result = evaluate(truth, found, 2, points)
    assert all(result[key] == pytest.approx(100) for key in ("ap", "ap50", "ap75", "ap_present"))


@pytest.mark.parametrize(("points", "expected"), [("11", 6 / 11), ("101", 51 / 101), ("area", 1 / 2)])
def test_half_found_reaches_half_of_the_recalls(points, expected):
    assert _ap50(_truth((BOX, 1), (FAR, 1)), _found((BOX, 0.9)), points) == pytest.approx(100 * expected)


@pytest.mark.parametrize(
    ("points", "expected"), [("11", (6 + 5 * 2 / 3) / 11), ("101", (51 + 50 * 2 / 3) / 101), ("area", (1 + 2 / 3) / 2)]
)
def test_a_second_detection_of_an_object_is_a_false_alarm(points, expected):
    found = _found((BOX, 0.9), (BOX, 0.8), (FAR, 0.7))
    assert _ap50(_truth((BOX, 1), (FAR, 1)), found, points) == pytest.approx(100 * expected)


def test_an_overlap_equal_to_the_threshold_is_not_enough():
    truth = _truth(((0, 0, 4, 1), 1))
    half, three_quarters = _found(((0, 0, 2, 1), 0.9)), _found(((0, 0, 3, 1), 0.9))
    assert evaluate([truth], [half], 1)["ap"] == 0
    assert evaluate([truth], [three_quarters], 1)["ap75"] == 0
    assert evaluate([truth], [three_quarters], 1)["ap"] == 50  # .50 to .70


def test_the_mean_is_over_ten_thresholds():
    truth, found = _truth(((0, 0, 100, 1), 1)), _found(((0, 0, 93, 1), 0.9))
    assert evaluate([truth], [found], 1)["ap"] == 90  # all but .95
    assert len(THRESHOLDS) == 10 and THRESHOLDS[5] == 0.75


def test_the_largest_overlap_counts_even_if_that_object_is_taken():
    # The second detection overlaps both by more than a half, the taken object more: a false alarm, not a hit.
    truth = _truth(((0, 0, 10, 10), 1), ((3, 0, 13, 10), 1))
    found = _found(((0, 0, 10, 10), 0.9), ((1, 0, 11, 10), 0.8))
    assert _ap50(truth, found) == pytest.approx(100 * 6 / 11)


def test_the_largest_overlap_counts_even_if_that_object_is_difficult():
    truth = _truth(((0, 0, 10, 10), 1, True), ((3, 0, 13, 10), 1))
    assert _ap50(truth, _found(((1, 0, 11, 10), 0.8))) == 0  # ignored: neither hit nor false alarm
    after = _found(((1, 0, 11, 10), 0.8), ((3, 0, 13, 10), 0.1))
    assert _ap50(truth, after) == pytest.approx(100)


def test_difficult_objects_need_not_be_found_and_are_ignored_any_number_of_times():
    truth = _truth((BOX, 1, True), (FAR, 1))
    assert _ap50(truth, _found((FAR, 0.5))) == pytest.approx(100)
    assert _ap50(truth, _found((BOX, 0.9), (BOX, 0.8), (BOX, 0.7), (FAR, 0.5))) == pytest.approx(100)


def test_a_difficult_object_of_another_class_forgives_nothing():
    truth = _truth((BOX, 2, True), (FAR, 1))
    assert _ap50(truth, _found((BOX, 0.9), (FAR, 0.5))) == pytest.approx(50)


def test_an_object_of_another_class_or_image_is_no_hit():
    truth = [_truth((BOX, 2)), _truth((FAR, 1))]
    result = evaluate(truth, [_found((BOX, 0.9, 1)), _found((BOX, 0.5, 2))], 2)
    assert result["ap50"] == 0


def test_three_of_ten_do_not_reach_the_fourth_recall():
    boxes = [(10 * i, 0, 10 * i + 10, 10) for i in range(10)]
    truth, found = _truth(*((box, 1) for box in boxes)), _found(*((box, 0.9) for box in boxes[:3]))
    assert _ap50(truth, found) == pytest.approx(100 * 3 / 11)  # as detectron2 and COCO have it, not 4 / 11


def test_equal_scores_are_ranked_in_the_order_given():
    truth = _truth((BOX, 1))
    assert _ap50(truth, _found((BOX, 0.5), (FAR, 0.5))) == pytest.approx(100)
    assert _ap50(truth, _found((FAR, 0.5), (BOX, 0.5))) == pytest.approx(50)
    images = [_truth((BOX, 1)), _truth()]
    assert evaluate(images, [_found((BOX, 0.5)), _found((BOX, 0.5))], 1)["ap50"] == pytest.approx(100)


def test_a_class_without_an_object_counts_0_in_one_mean_and_not_in_the_other():
    truth = _truth((BOX, 1), (FAR, 3, True))
    result = evaluate([truth], [_found((BOX, 0.9), (FAR, 0.5, 3), (FAR, 0.5, 2))], 4)
    assert result["ap"] == result["ap50"] == result["ap75"] == pytest.approx(25)
    assert result["ap_present"] == result["ap50_present"] == result["ap75_present"] == pytest.approx(100)
    whole = {"ap": pytest.approx(100), "ap50": pytest.approx(100), "ap75": pytest.approx(100)}
    assert result["per_class"] == {1: whole, 2: None, 3: None, 4: None}


def test_nothing_found_and_nothing_there():
    assert evaluate([_truth((BOX, 1))], [_found()], 1)["ap_present"] == 0
    assert evaluate([_truth()], [_found((BOX, 0.5))], 1)["ap_present"] == 0
    assert evaluate([], [], 1)["ap"] == 0


@pytest.mark.parametrize("spoilt", [((np.nan, 0, 1, 1), 0.5), (BOX, np.nan)])
def test_what_is_not_finite_is_refused(spoilt):
    with pytest.raises(UserError, match="VOC2007/7: a detection is not finite"):
        evaluate([_truth((BOX, 1), id="VOC2007/7")], [_found(spoilt)], 1)


def _slow(truth, detections, n_classes, points):
    """AP per class and threshold in percent, with loops, on inclusive pixels and with the devkit's "+ 1"."""

    def iou(a, b):  # (xmin, ymin, xmax, ymax), from 1, inclusive
        width = min(a[2], b[2]) - max(a[0], b[0]) + 1
        height = min(a[3], b[3]) - max(a[1], b[1]) + 1
        if width <= 0 or height <= 0:
            return 0.0
        area = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
        return width * height / (area[0] + area[1] - width * height)

    table = np.zeros((n_classes, 10))
    for label in range(1, n_classes + 1):
        objects = {}
        for image, annotation in enumerate(truth):
            for number in range(len(annotation.labels)):
                if annotation.labels[number] == label:
                    box = annotation.boxes[number].tolist()
                    objects.setdefault(image, []).append(
                        ([box[0] + 1, box[1] + 1, box[2], box[3]], bool(annotation.difficult[number]))
                    )
        total = sum(not difficult for each in objects.values() for _, difficult in each)
        ranked = []
        for image, found in enumerate(detections):
            for box, score, of in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist()):
                if of == label:
                    ranked.append((score, image, [box[0] + 1, box[1] + 1, box[2], box[3]]))
        ranked.sort(key=lambda each: -each[0])  # Python's sort is stable
        for step in range(10):
            threshold = (50 + 5 * step) / 100
            taken, hits, false_alarms, curve = set(), 0, 0, []
            for _, image, box in ranked:
                best, which = -1.0, None
                for number, (other, _) in enumerate(objects.get(image, [])):
                    if iou(box, other) > best:
                        best, which = iou(box, other), number
                if best > threshold:
                    if objects[image][which][1]:
                        continue
                    if (image, which) in taken:
                        false_alarms += 1
                    else:
                        taken.add((image, which))
                        hits += 1
                else:
                    false_alarms += 1
                if total:
                    curve.append((hits / total, hits / (hits + false_alarms)))
            if not total:
                table[label - 1, step] = np.nan
            elif points == "area":
                area, before = 0.0, 0.0
                for recall, _ in curve:
                    area += (recall - before) * max(p for r, p in curve if r >= recall)
                    before = recall
                table[label - 1, step] = 100 * area
            else:
                recalls = np.arange(int(points)) / (int(points) - 1) if points == "101" else np.arange(0, 1.1, 0.1)
                best = [max((p for r, p in curve if r >= recall), default=0.0) for recall in recalls]
                table[label - 1, step] = 100 * sum(best) / len(best)
    return table


def _random(seed, images=30, classes=4, difficult=0.25):
    """Integer boxes in small images, detections near them or anywhere, scores of one decimal."""
    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for image in range(images):
        corner = rng.integers(0, 60, size=(rng.integers(0, 5), 2))
        boxes = np.concatenate([corner, corner + rng.integers(4, 40, size=corner.shape)], axis=1)
        labels = rng.integers(1, classes, size=len(boxes))  # none of the last class
        hard = rng.random(len(boxes)) < difficult
        truth.append(Annotation(str(image), 100, 100, boxes.astype(np.float32), labels, hard))
        near = boxes[rng.integers(len(boxes), size=8)] if len(boxes) else np.zeros((0, 4), dtype=int)
        near_labels = np.array([labels[np.all(boxes == box, axis=1).argmax()] for box in near], dtype=np.int64)
        near = near + rng.integers(-4, 5, size=near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        corner = rng.integers(0, 60, size=(3, 2))
        anywhere = np.concatenate([corner, corner + rng.integers(4, 40, size=corner.shape)], axis=1)
        found = np.concatenate([near, anywhere]).astype(np.float64)
        labels = np.concatenate([near_labels, rng.integers(1, classes + 1, size=3)])
        detections.append(Detections(found, rng.integers(0, 10, size=len(found)) / 10, labels))
    return truth, detections


@pytest.mark.parametrize("points", ["11", "101", "area"])
@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_a_slow_evaluator(points, seed):
    truth, detections = _random(seed)
    table = _slow(truth, detections, 4, points)
    assert np.isnan(table[3]).all() and 5 < np.nanmean(table) < 95
    result = evaluate(truth, detections, 4, points)
    for label, row in enumerate(table, start=1):
        expected = {"ap": row.mean(), "ap50": row[0], "ap75": row[5]}
        assert result["per_class"][label] == (None if label == 4 else pytest.approx(expected, abs=1e-10))
    assert result["ap"] == pytest.approx(np.nan_to_num(table).mean(), abs=1e-10)
    assert result["ap75_present"] == pytest.approx(table[:3, 5].mean(), abs=1e-10)


def _distinct(detections, rng):
    """The same detections with scores that all differ."""
    total = sum(len(found.scores) for found in detections)
    scores = np.split(rng.permutation(total) / total, np.cumsum([len(f.scores) for f in detections])[:-1])
    return [found._replace(scores=own) for found, own in zip(detections, scores)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), points=st.sampled_from(["11", "101", "area"]))
def test_the_order_of_images_and_detections_is_of_no_account(seed, points):
    rng = np.random.default_rng(seed)
    truth, detections = _random(seed, images=8)
    detections = _distinct(detections, rng)
    order = rng.permutation(len(truth))
    shuffled = []
    for image in order:
        within = rng.permutation(len(detections[image].scores))
        shuffled.append(Detections(*(listing[within] for listing in detections[image])))
    again = evaluate([truth[image] for image in order], shuffled, 4, points)
    assert again == evaluate(truth, detections, 4, points)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), score=st.floats(0, 1), points=st.sampled_from(["11", "101", "area"]))
def test_a_false_alarm_never_helps(seed, score, points):
    truth, detections = _random(seed, images=6)
    before = evaluate(truth, detections, 4, points)
    alarm = _found(((200, 200, 210, 210), score, 1 + seed % 4))
    image = seed % 6
    more = [*detections]
    more[image] = Detections(*(np.concatenate(pair) for pair in zip(detections[image], alarm)))
    after = evaluate(truth, more, 4, points)
    assert all(after[key] <= before[key] + 1e-9 for key in ("ap", "ap50", "ap75", "ap_present"))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_objects_themselves_score_100(seed):
    truth, _ = _random(seed, images=6)
    whole = [
        Detections(annotation.boxes, np.linspace(0.1, 1, len(annotation.labels)), annotation.labels)
        for annotation in truth
    ]
    result = evaluate(truth, whole, 4)
    present = [each for each in result["per_class"].values() if each]
    assert all(each["ap50"] > 99.99 for each in present) or _twins(truth)


def _twins(truth):
    """Whether two objects of a class in an image have the same box: one of them cannot be found twice."""
    rows = [(a.id, label, *box) for a in truth for label, box in zip(a.labels.tolist(), a.boxes.tolist())]
    return len(set(rows)) < len(rows)


@pytest.mark.parametrize("seed", range(2))
def test_the_numbers_are_those_of_torchmetrics_without_difficult_objects(seed):
    """Objects stand apart here: where they overlap, COCO lets a detection take its second-best object."""
    torch = pytest.importorskip("torch")
    from torchmetrics.detection import MeanAveragePrecision

    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for image in range(40):
        cells = rng.permutation(9)[: rng.integers(0, 5)]  # of 3×3, 33 pixels each
        corner = np.stack([cells % 3, cells // 3], axis=1) * 33 + rng.uniform(0, 5, size=(len(cells), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 25, size=corner.shape)], axis=1)
        labels = rng.integers(1, 4, size=len(boxes))
        truth.append(Annotation(str(image), 100, 100, boxes.astype(np.float32), labels, np.zeros(len(boxes), bool)))
        near = np.concatenate([boxes + rng.normal(0, scale, size=boxes.shape) for scale in (1, 3)])
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        wrong = np.where(rng.random(len(near)) < 0.2, rng.integers(1, 4, size=len(near)), np.tile(labels, 2))
        detections.append(Detections(near, rng.random(len(near)), wrong))
    metric = MeanAveragePrecision(
        rec_thresholds=np.linspace(0, 1, 11).tolist(), class_metrics=True, backend="faster_coco_eval"
    )
    metric.warn_on_many_detections = False
    metric.update(
        [
            {name: torch.tensor(listing) for name, listing in zip(("boxes", "scores", "labels"), found)}
            for found in detections
        ],
        [{"boxes": torch.tensor(a.boxes), "labels": torch.tensor(a.labels)} for a in truth],
    )
    theirs, ours = metric.compute(), evaluate(truth, detections, 3)
    assert 10 < ours["ap"] < 90
    assert theirs["map"].item() * 100 == pytest.approx(ours["ap"], abs=1e-3)
    assert theirs["map_50"].item() * 100 == pytest.approx(ours["ap50"], abs=1e-3)
    assert theirs["map_75"].item() * 100 == pytest.approx(ours["ap75"], abs=1e-3)
    for label, value in zip(theirs["classes"].tolist(), theirs["map_per_class"].tolist()):
        assert 100 * value == pytest.approx(ours["per_class"][label]["ap"], abs=1e-3)
