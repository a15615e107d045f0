import shutil

import numpy as np
import pytest

from sdr.base.errors import UserError
from sdr.detect import voc
from sdr.detect.sets import LISTINGS
from tests.detect.voc_tree import BOX, LISTS, annotation, put, write_tree


@pytest.fixture
def devkit(tmp_path):
    write_tree(tmp_path / "VOCdevkit")
    return tmp_path / "VOCdevkit"


def _read(devkit):
    return voc.read(devkit, voc.CLASSES)


def _one(devkit, name="000012"):
    """The annotation of an image of 2007's train.txt."""
    samples = {sample.annotation.id: sample.annotation for sample in _read(devkit).listings["2007_train"]}
    return samples[f"VOC2007/{name}"]


def test_the_lists_alone_say_which_part_an_image_is_in(devkit):
    read = _read(devkit)
    assert list(read.listings) == list(LISTINGS)
    for listing, samples in read.listings.items():
        year, split = listing.split("_")
        assert [sample.annotation.id for sample in samples] == [
            f"VOC{year}/{name}" for name in LISTS[f"VOC{year}"][split]
        ]
        assert all(sample.picture.exists() for sample in samples)
    assert read.clipped == []


def test_boxes_are_continuous_and_fields_typed(devkit):
    put(devkit, "VOC2007", "000012", [("tvmonitor", (11, 6, 30, 25), True), ("aeroplane", (1, 1, 50, 40))])
    found = _one(devkit)
    assert (found.height, found.width) == (40, 50)
    np.testing.assert_array_equal(found.boxes, np.array([[10, 5, 30, 25], [0, 0, 50, 40]], dtype=np.float32))
    np.testing.assert_array_equal(found.labels, [20, 1])
    np.testing.assert_array_equal(found.difficult, [True, False])
    assert (found.boxes.dtype, found.labels.dtype, found.difficult.dtype) == (np.float32, np.int64, bool)


def test_an_image_without_objects_is_kept(devkit):
    put(devkit, "VOC2007", "000012", [])
    found = _one(devkit)
    assert found.boxes.shape == (0, 4) and found.labels.shape == found.difficult.shape == (0,)
    assert (found.boxes.dtype, found.labels.dtype, found.difficult.dtype) == (np.float32, np.int64, bool)


def test_a_box_of_one_pixel_has_area_1(devkit):
    put(devkit, "VOC2007", "000012", [("cat", (50, 40, 50, 40)), ("cat", (1, 1, 1, 1))])
    np.testing.assert_array_equal(_one(devkit).boxes, [[49, 39, 50, 40], [0, 0, 1, 1]])


def test_decimals_another_order_and_a_missing_difficult_are_understood(devkit):
    path = put(devkit, "VOC2007", "000012", [BOX])
    box = "<xmax>30.5</xmax><xmin>11.70000076293945</xmin><ymax>25</ymax><ymin>6</ymin>"
    text = path.read_text()
    start, end = text.index("<bndbox>"), text.index("</bndbox>")
    text = text[: start + len("<bndbox>")] + box + text[end:]
    path.write_text(text.replace("<difficult>0</difficult>", ""))
    found = _one(devkit)
    np.testing.assert_array_equal(found.boxes, np.array([[10.70000076293945, 5, 30.5, 25]], dtype=np.float32))
    assert not found.difficult.any()


def test_parts_of_an_object_are_not_objects(devkit):
    path = put(devkit, "VOC2007", "000012", [("person", (11, 6, 30, 25))])
    listing = "<listing><name>head</name><bndbox><xmin>12</xmin><ymin>7</ymin><xmax>14</xmax><ymax>9</ymax></bndbox></listing>"
    text = path.read_text()
    path.write_text(text.replace("<bndbox>", f"{listing}<bndbox>", 1).replace("</object>", f"{listing}</object>"))
    found = _one(devkit)
    np.testing.assert_array_equal(found.boxes, [[10, 5, 30, 25]])
    np.testing.assert_array_equal(found.labels, [15])


def test_up_to_a_pixel_outside_is_clipped_and_told(devkit):
    put(devkit, "VOC2007", "000012", [("cat", (0, 1, 51, 41)), BOX])
    read = _read(devkit)
    assert read.clipped == ["VOC2007/Annotations/000012.xml"]
    np.testing.assert_array_equal(read.listings["2007_train"][0].annotation.boxes, [[0, 0, 50, 40], [10, 5, 30, 25]])


def _objects(*objects):
    return lambda devkit: put(devkit, "VOC2007", "000012", [BOX, *objects])


def _replace(path, old, new):
    def spoil(devkit):
        text = (devkit / path).read_text()
        assert old in text
        (devkit / path).write_text(text.replace(old, new))

    return spoil


def _remove(path):
    def spoil(devkit):
        shutil.rmtree(devkit / path) if (devkit / path).is_dir() else (devkit / path).unlink()

    return spoil


def _write(path, text):
    return lambda devkit: (devkit / path).write_text(text)


XML = "VOC2007/Annotations/000012.xml"
MAIN = "VOC2007/ImageSets/Main"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_remove("VOC2012"), "VOC2012: not found; it should hold Annotations(.|\n)*get VOCtrainval_06-Nov-2007.tar"),
        (_remove("VOC2007/Annotations"), "VOC2007/Annotations: not found; it should hold"),
        (_remove("VOC2007/JPEGImages"), "VOC2007/JPEGImages: not found; it should hold"),
        (_remove(f"{MAIN}/test.txt"), "Main/test.txt: not found; it lists the images of a split"),
        (_write(f"{MAIN}/val.txt", "\n \n"), "Main/val.txt: names no image"),
        (lambda devkit: (devkit / MAIN / "val.txt").write_bytes(b"\xff\xfe\x00"), "Main/val.txt: is no text file"),
        (_write(f"{MAIN}/test.txt", "000001\n000012\n"), "000012 is in test.txt and train.txt"),
        (_write(f"{MAIN}/test.txt", "000001\n000001\n"), "000001 is in test.txt, twice"),
        (
            _write(f"{MAIN}/trainval.txt", "000012\n000017\n000005\n"),
            "trainval.txt: is not(.|\n)*1 images(.|\n)*000007",
        ),
        (_remove(XML), "000012.xml: not found; 1 of the 2 images of ImageSets/Main/train.txt have no annotation"),
        (_remove("VOC2007/JPEGImages/000012.jpg"), "000012.jpg: not found; 1 of the 2 images(.|\n)*have no picture"),
        (_objects(("cat", (49, 1, 52, 9))), r"000012.xml: box \(49, 1, 52, 9\) of object 2 lies outside(.|\n)*50×40"),
        (_objects(("cat", (-1, 1, 9, 9))), r"000012.xml: box \(-1, 1, 9, 9\) of object 2 lies outside"),
        (_objects(("cat", (9, 1, 8, 9))), r"000012.xml: box \(9, 1, 8, 9\) of object 2 has no area"),
        (_objects(("cat", (5, 9, 9, 3))), r"000012.xml: box \(5, 9, 9, 3\) of object 2 has no area"),
        (_objects(("cat", (51, 1, 51, 9))), r"000012.xml: box \(51, 1, 51, 9\) of object 2 has no area"),
        (_objects(("cat", ("x", 1, 9, 9))), "000012.xml: object cat: no <bndbox> with the numbers"),
        (_objects(("cat", ("nan", 1, 9, 9))), "000012.xml: object cat: no <bndbox> with the numbers"),
        (_replace(XML, "bndbox", "box"), "000012.xml: object bus: no <bndbox>"),
        (_objects(("zebra", (1, 1, 9, 9))), "000012.xml: unknown class 'zebra'; it should be one of aeroplane, "),
        (_replace(XML, "<name>bus</name>", ""), "000012.xml: unknown class ''"),
        (_replace(XML, "size>", "extent>"), "000012.xml: no <size>"),
        (_replace(XML, "<width>50", "<width>0"), "000012.xml: no <size>"),
        (_replace(XML, "<height>40", "<height>forty"), "000012.xml: no <size>"),
        (_replace(XML, "</annotation>", ""), "000012.xml: malformed XML: mismatched tag"),
        (_write(XML, ""), "000012.xml: malformed XML"),
    ],
)
def test_what_is_not_voc_says_why(devkit, spoil, message):
    spoil(devkit)
    with pytest.raises(UserError, match=message):
        _read(devkit)


def test_the_classes_are_vocs_in_alphabetical_order():
    assert len(voc.CLASSES) == 20 and list(voc.CLASSES) == sorted(voc.CLASSES)
    assert voc.CLASSES[0] == "aeroplane" and voc.CLASSES[14] == "person"
    assert sum(voc.SIZES.values()) == 16551 + 4952


def test_other_classes_can_be_read(devkit):
    read = voc.read(devkit, ("tram", "bus"))
    assert read.listings["2007_test"][0].annotation.labels.tolist() == [2]
    assert annotation("1", [BOX]).count("<object>") == 1
