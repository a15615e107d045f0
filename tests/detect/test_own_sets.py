"""Sets of one's own, in VOC's and in COCO's format: the same set in both is the same set."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.detect import coco_ap, voc_ap
from sdr.detect.batches import without_crowds
from sdr.detect.files import look
from sdr.detect.prepare import prepare_detection
from sdr.detect.sets import DetectionSet, DetectionSpec
from sdr.detect.voc_ap import Detections
from sdr.sources.watched import take
from tests.detect.voc_tree import annotation, jpeg

CLASSES = ["apple tree", "bee", "cat", "dog", "fox", "éclair"]
SIZES = {"train": 30, "test": 15}


def objects(number: int) -> list[tuple]:
    rng = np.random.default_rng(number)
    left, top = rng.integers(1, 20, (2, 1 + number % 3))
    names = [CLASSES[(number + i) % 6] for i in range(len(left))]
    return [
        (name, (x, y, x + 9 + i, y + 12), number % 5 == 0 and i == 1)
        for i, (name, x, y) in enumerate(zip(names, left, top))
    ]


def write_voc(folder, sizes=SIZES):
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    number = 0
    for split, size in sizes.items():
        names = [f"my picture {number + i}" for i in range(size)]
        (folder / f"ImageSets/Main/{split}.txt").write_text("\ufeff" + "\n".join(names) + "\n", "utf-8")
        for name in names:
            (folder / f"JPEGImages/{name}.jpg").write_bytes(jpeg(number))
            (folder / f"Annotations/{name}.xml").write_text(annotation(name, objects(number)), "utf-8")
            number += 1


def write_coco(folder, sizes=SIZES):
    (folder / "annotations").mkdir(parents=True)
    number, categories = 0, [{"id": 7 * i + 3, "name": name} for i, name in enumerate(CLASSES)]
    for split, size in sizes.items():
        (folder / split).mkdir()
        images, rows = [], []
        for i in range(size):
            name = f"my picture {number}.jpg"
            (folder / split / name).write_bytes(jpeg(number))
            images.append({"id": 5 * i, "file_name": name, "width": 50, "height": 40})
            for label, (left, top, right, bottom), crowd in objects(number):
                box = [int(v) for v in (left - 1, top - 1, right - left + 1, bottom - top + 1)]
                row = {"id": len(rows), "image_id": 5 * i, "category_id": 7 * CLASSES.index(label) + 3, "bbox": box}
                rows.append(row | {"iscrowd": int(crowd), "area": box[2] * box[3]})
            number += 1
        content = {"images": images, "annotations": rows, "categories": categories}
        (folder / f"annotations/instances_{split}.json").write_text(json.dumps(content))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_DATA_TASKS", str(tmp_path / "tasks"))
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "tasks").mkdir()
    return tmp_path / "tasks"


def prepare(root, **entry) -> DetectionSet:
    spec = DetectionSpec(detector="tiny", **entry)
    target = root.parent / f"out{len(list(root.parent.glob('out*')))}"
    target.mkdir()
    prepare_detection("mine", spec, 0.0, take(look("mine", spec)), target)
    return DetectionSet.open(target)


def found(data: DetectionSet) -> list[Detections]:
    """Shifted, missing and doubled boxes, the same for equal annotations."""
    out = []
    for number, a in enumerate(data.annotations("test")):
        rng = np.random.default_rng(number)
        boxes = np.concatenate([a.boxes + rng.normal(0, 1, a.boxes.shape), a.boxes[:1]])
        out.append(Detections(boxes, rng.random(len(boxes)), np.append(a.labels, a.labels[:1])))
    return out


def test_a_set_in_both_formats_is_the_same_set_and_has_the_same_ap50(root):
    write_voc(root / "mine")
    write_coco(root / "other")
    voc = prepare(root, source="voc", path="mine")
    coco = prepare(root, source="coco", path="other")
    assert voc.classes == coco.classes == CLASSES and (voc.rules, coco.rules) == ("voc", "coco")
    for split in ("trainval", "test"):
        one, two = ({a.id.split("/")[1].removesuffix(".jpg"): a for a in d.annotations(split)} for d in (voc, coco))
        assert one.keys() == two.keys() and len(one) == {"trainval": 30, "test": 15}[split]
        for name in one:
            for field in ("boxes", "labels", "difficult"):
                np.testing.assert_array_equal(getattr(one[name], field), getattr(two[name], field))
            np.testing.assert_array_equal(voc.image(one[name].id), coco.image(two[name].id))
    assert len(voc.annotations("val")) == len(coco.annotations("val")) == 6
    for rules in ("voc", "coco"):
        scores = [coco_ap.measure(rules, d.annotations("test"), found(d), 6)["ap50"] for d in (voc, coco)]
        assert scores[0] == scores[1] and 20 < scores[0] < 100


def test_several_folders_and_lists_of_any_name(root):
    write_voc(root / "a", {"learn": 4, "check": 3, "exam": 2})
    write_voc(root / "deep/b", {"learn": 2, "check": 1, "exam": 1})
    splits = {"train": "learn", "val": "check", "test": "exam"}
    data = prepare(root, source="voc", path=["a", "deep/b"], splits=splits)
    assert [len(data.annotations(split)) for split in ("train", "val", "trainval", "test")] == [6, 4, 10, 3]
    assert data.annotations("test")[2].id == "deep/b/my picture 3"


def test_a_list_may_have_flags_and_names_may_end_in_a_number(root):
    write_voc(root / "mine", {"trainval": 6, "test": 3})
    file = root / "mine/ImageSets/Main/test.txt"
    file.write_text("my picture 6\nmy picture 7  1\n my picture 8 -1\n")
    data = prepare(root, source="voc", path="mine")
    assert [a.id for a in data.annotations("test")] == [f"mine/my picture {i}" for i in (6, 7, 8)]


@pytest.mark.parametrize("tag", ["difficult", "truncated"])
@pytest.mark.parametrize("value", ["Unspecified", "False", "0.0", "no", "2", "-1", "", "٠"])
def test_a_flag_that_is_neither_0_nor_1_is_an_error_with_file_and_value(root, tag, value):
    write_voc(root / "mine")
    file = root / "mine/Annotations/my picture 3.xml"
    file.write_text(re.sub(f"<{tag}>.</{tag}>", f"<{tag}>{value}</{tag}>", file.read_text("utf-8")), "utf-8")
    with pytest.raises(UserError, match=f"my picture 3.xml: <{tag}> is 0 or 1, not '{value}'"):
        prepare(root, source="voc", path="mine")


def test_boxes_counted_from_0_are_named_and_can_be_said_to_be(root):
    write_voc(root / "mine")
    file = root / "mine/Annotations/my picture 0.xml"
    file.write_text(annotation("x", [("bee", (0, 0, 49, 39)), ("bee", (10, 10, 19, 19))]), "utf-8")
    data = prepare(root, source="voc", path="mine")
    assert data.meta["zero"] == ["mine/Annotations/my picture 0.xml"]
    data = prepare(root, source="voc", path="mine", first_pixel=0)
    boxes = next(a.boxes for a in data.annotations("trainval") if a.id == "mine/my picture 0")
    np.testing.assert_array_equal(boxes, [[0, 0, 50, 40], [10, 10, 20, 20]])
    assert data.meta["zero"] == []


@pytest.mark.parametrize(
    ("declared", "codec", "read"),
    [
        ("gb2312", "gb2312", True),
        ("GBK", "gbk", True),
        ("Shift_JIS", "shift_jis", True),
        ("utf8", "utf-8", True),
        ("windows-1252", "cp1252", True),
        ("utf-16", "utf-16", True),
        ("utf8mb4", "utf-8", False),
        ("no-such", "utf-8", False),
        ("Shift_JIS", "gbk", False),
        ("utf-8", "gbk", False),
    ],
)
def test_encodings_are_decoded_as_declared_or_the_file_is_named(root, declared, codec, read):
    write_voc(root / "mine")
    word = "é" if codec == "cp1252" else "中国"
    file = root / "mine/Annotations/my picture 0.xml"
    text = annotation("x", [("bee", (1, 1, 9, 9))]).replace("VOC2007 Database", word)
    file.write_bytes(f'<?xml version="1.0" encoding="{declared}"?>\n{text}'.encode(codec))
    if read:
        prepare(root, source="voc", path="mine")
    else:
        with pytest.raises(UserError, match="my picture 0.xml: (cannot be read in the encoding|malformed XML)"):
            prepare(root, source="voc", path="mine")


def turned(orientation: int, width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(50, 40), (40, 50), (40, 40)])
def test_boxes_and_pixels_are_of_the_same_view(root, orientation, width, height):
    """The annotation of size 50×40 (or 40×40) tells pixels from upright where their sizes differ."""
    write_voc(root / "mine")
    (root / "mine/JPEGImages/my picture 0.jpg").unlink()
    content = turned(orientation, width, height)
    (root / "mine/JPEGImages/my picture 0.png").write_bytes(content)
    stated = (40, 40) if width == height else (50, 40)
    file = root / "mine/Annotations/my picture 0.xml"
    file.write_text(annotation("x", [("bee", (2, 3, 30, 33))], *stated), "utf-8")
    raw = Image.open(io.BytesIO(content))
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(raw)
    if orientation == 1 and raw.size == stated or orientation > 4 and raw.size == stated != upright.size:
        expected = raw
    elif orientation > 4 and upright.size == stated != raw.size:
        expected = upright
    else:
        with pytest.raises(UserError, match="EXIF" if orientation > 1 else "annotation says"):
            prepare(root, source="voc", path="mine")
        return
    data = prepare(root, source="voc", path="mine")
    np.testing.assert_array_equal(data.image("mine/my picture 0"), np.asarray(expected.convert("RGB")))


def test_cocos_precisions_are_those_of_torchmetrics(root):
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    write_coco(root / "mine")
    data = prepare(root, source="coco", path="mine")
    truth, dets = data.annotations("test"), found(data)
    metric = MeanAveragePrecision(
        class_metrics=True, rec_thresholds=np.linspace(0, 1, 101).tolist(), backend="faster_coco_eval"
    )
    metric.update(
        [{k: torch.from_numpy(np.asarray(getattr(d, k))) for k in ("boxes", "scores", "labels")} for d in dets],
        [
            {
                "boxes": torch.from_numpy(a.boxes),
                "labels": torch.from_numpy(a.labels),
                "iscrowd": torch.from_numpy(a.difficult.astype(np.int64)),
            }
            for a in truth
        ],
    )
    expected, ours = metric.compute(), coco_ap.evaluate(truth, dets, 6)
    for mine, theirs in (("ap", "map"), ("ap50", "map_50"), ("ap75", "map_75")):
        assert ours[mine] == pytest.approx(100 * float(expected[theirs]), abs=1e-3)
    assert ours["ap"] != pytest.approx(voc_ap.evaluate(truth, dets, 6)["ap"], abs=1e-3)


def test_without_detections_or_without_objects_coco_scores_0():
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    assert coco_ap.evaluate([], [], 3)["ap"] == 0.0
    from tests.detect.toys import Rectangles

    truth = Rectangles(3).all
    assert coco_ap.evaluate(truth, [nothing] * 3, 3)["ap50"] == 0.0


def test_crowds_are_not_trained_with(root):
    write_coco(root / "mine")
    data = prepare(root, source="coco", path="mine")
    rows = data.annotations("trainval")
    assert any(a.difficult.any() for a in rows)
    kept = without_crowds(rows)
    assert not any(a.difficult.any() for a in kept)
    assert sum(len(a.boxes) for a in kept) == sum((~a.difficult).sum() for a in rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"][0].update(bbox=[0, 0, 5]), "`bbox`"),
        (lambda c: c["annotations"][0].update(bbox=[0, 0, 5, float("nan")]), "`bbox`"),
        (lambda c: c["annotations"][0].update(bbox=[0, 0, 0, 5]), "has no area"),
        (lambda c: c["annotations"][0].update(bbox=[45, 0, 20, 5]), "outside of the image"),
        (lambda c: c["annotations"][0].update(iscrowd="no"), "`iscrowd` is 0 or 1, not 'no'"),
        (lambda c: c["annotations"][0].update(iscrowd=0.5), "`iscrowd`"),
        (lambda c: c["annotations"][0].update(image_id=999), "image_id 999, which is none of images"),
        (lambda c: c["annotations"][0].update(category_id=1), "category_id 1, which is none of categories"),
        (lambda c: c["annotations"][0].pop("bbox"), r"annotations\[0\].bbox is missing"),
        (lambda c: c["images"][0].update(width="50"), r"images\[0\].width"),
        (lambda c: c["images"][0].update(file_name="../x.jpg"), "outside of"),
        (lambda c: c["images"][0].update(file_name="none.jpg"), "none.jpg .* not found; looked in"),
        (lambda c: c["images"].append(c["images"][0]), "two have one id"),
        (lambda c: c["categories"][0].update(name="bee"), "two have one name"),
        (lambda c: c.pop("images"), "no COCO list of instances"),
    ],
)
def test_a_malformed_list_of_coco_is_one_message(root, change, message):
    write_coco(root / "mine")
    file = root / "mine/annotations/instances_test.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        prepare(root, source="coco", path="mine")


@pytest.mark.parametrize(
    "entry",
    [
        {"source": "coco"},
        {"source": "scenes", "path": "x"},
        {"source": "voc", "path": "../x"},
        {"source": "voc", "path": "/x"},
        {"source": "voc", "path": ["a", "a"]},
        {"source": "voc", "path": "a", "splits": {"train": "t"}},
        {"source": "voc", "path": "a", "splits": {"train": "../t", "test": "t"}},
        {"source": "voc", "path": "a", "first_pixel": 2},
    ],
)
def test_entries_that_cannot_be(entry):
    with pytest.raises(ValueError):
        DetectionSpec(detector="tiny", **entry)
