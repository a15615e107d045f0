from collections import Counter

import numpy as np
import pytest
from PIL import Image

from sdr.detect import scenes, voc
from sdr.detect.scenes import Layer, compose, describe
from sdr.detect.sets import LISTINGS, Found, to_rgb


@pytest.fixture(scope="module")
def devkit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("VOCdevkit")
    scenes.write(folder, scenes.COUNTS)
    return folder


@pytest.fixture(scope="module")
def listings(devkit):
    read = voc.read(devkit, scenes.CLASSES)
    assert read.clipped == []
    return read.listings


def test_it_is_a_voc_devkit_of_the_promised_size(listings):
    assert {listing: len(samples) for listing, samples in listings.items()} == scenes.COUNTS
    assert list(scenes.COUNTS) == list(LISTINGS)
    assert list(scenes.CLASSES) == sorted(scenes.CLASSES)


def test_every_part_has_every_class_and_the_mixture_is_as_promised(listings):
    annotations = [sample.annotation for samples in listings.values() for sample in samples]
    for samples in listings.values():
        labels = Counter(np.concatenate([sample.annotation.labels for sample in samples]).tolist())
        assert sorted(labels) == list(range(1, len(scenes.CLASSES) + 1)) and min(labels.values()) >= 5
    assert Counter(len(a.labels) for a in annotations).keys() == {0, 1, 2, 3, 4}
    assert 0.05 < np.mean(np.concatenate([a.difficult for a in annotations])) < 0.2
    shapes = {(a.width, a.height) for a in annotations}
    assert {max(shape) for shape in shapes} == {112} and min(min(shape) for shape in shapes) >= 80
    assert 0.4 < np.mean([a.width > a.height for a in annotations]) < 0.6
    boxes = np.concatenate([a.boxes for a in annotations])
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert side.max() <= 48 and np.mean(side >= 15) > 0.85
    assert any(_overlaps(a.boxes) for a in annotations)


def _overlaps(boxes):
    low, high = (
        np.maximum(boxes[:, None, :2], boxes[None, :, :2]),
        np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]),
    )
    return ((high > low).all(axis=2).sum(axis=1) > 1).any()


def test_pictures_are_jpegs_of_the_size_that_is_told(listings):
    for annotation, picture in (samples[0] for samples in listings.values()):
        content = picture.read_bytes()
        assert content[:2] == b"\xff\xd8"
        assert to_rgb(content).shape == (annotation.height, annotation.width, 3)


def test_scenes_are_the_same_in_every_run_and_in_smaller_sets(devkit, tmp_path):
    scenes.write(tmp_path, {listing: 2 for listing in LISTINGS})
    for name in ("VOC2007/{}/000001", "VOC2007/{}/000002", "VOC2012/{}/2012_000001"):
        for path in (name.format("JPEGImages") + ".jpg", name.format("Annotations") + ".xml"):
            assert (tmp_path / path).read_bytes() == (devkit / path).read_bytes()


def test_no_object_is_in_two_splits():
    cutouts = scenes._objects()
    seen = {
        split: {image.tobytes() for images in classes.values() for image in images}
        for split, classes in cutouts.items()
    }
    assert all(len(images) >= 4 for classes in cutouts.values() for images in classes.values())
    assert not seen["train"] & seen["val"] and not (seen["train"] | seen["val"]) & seen["test"]


def _layer(height, width, left, top, label="cloud"):
    return Layer(label, np.full((height, width, 3), (200, 10, 20), dtype=np.uint8), left, top)


def _read(tmp_path, picture, things):
    """The boxes of what was described, as voc.py reads them from the file."""
    path = tmp_path / "VOC2007/Annotations/1.xml"
    path.parent.mkdir(parents=True)
    path.write_text(scenes._xml("VOC2007", "1", picture, things))
    return voc._sample(tmp_path / "VOC2007", "1", Found(scenes.CLASSES, {}, tmp_path)).annotation


@pytest.mark.parametrize("place", [(0, 0), (7, 13), (70, 50), (-4, -3), (65, 53)])
def test_a_box_is_the_pixels_of_its_object(tmp_path, place):
    picture, owner = compose(np.zeros((60, 80, 3), dtype=np.uint8), [_layer(10, 22, *place)])
    things = describe(owner, [_layer(10, 22, *place)])
    found = _read(tmp_path, picture, things)
    left, top, right, bottom = found.boxes[0].astype(int)
    mask = np.zeros((60, 80), dtype=bool)
    mask[top:bottom, left:right] = True
    np.testing.assert_array_equal((picture == (200, 10, 20)).all(axis=2), mask)
    np.testing.assert_array_equal((picture == 0).all(axis=2), ~mask)
    x, y = place
    assert (left, top, right, bottom) == (max(0, x), max(0, y), min(80, x + 22), min(60, y + 10))
    assert things[0].truncated == (mask.sum() < 220)
    assert found.difficult[0] == (mask.sum() < 0.6 * 220)


def test_what_is_covered_is_not_in_the_box_and_makes_it_difficult(tmp_path):
    layers = [
        _layer(10, 20, 5, 5),
        _layer(10, 20, 10, 5),
        _layer(10, 20, 40, 30, "home"),
        _layer(10, 7, 53, 30),
    ]
    picture, owner = compose(np.zeros((60, 80, 3), dtype=np.uint8), layers)
    found = _read(tmp_path, picture, describe(owner, layers))
    np.testing.assert_array_equal(found.boxes, [[5, 5, 10, 15], [10, 5, 30, 15], [40, 30, 53, 40], [53, 30, 60, 40]])
    # A quarter of the first is to be seen, two thirds of the third; the last is whole but small.
    np.testing.assert_array_equal(found.difficult, [True, False, False, True])
    assert [scenes.CLASSES[label - 1] for label in found.labels] == ["cloud", "cloud", "home", "cloud"]


def test_a_cut_out_is_the_ink_of_its_picture_with_a_margin():
    picture = Image.new("RGB", (40, 40), (250, 200, 0))
    picture.paste((10, 40, 160), (5, 10, 25, 20))
    opacity = np.asarray(scenes._cut_out(picture))[..., 3]
    assert opacity.shape == (10 + 2 * 2, 20 + 2 * 2)  # 0.12 × 20 pixels around it
    expected = np.zeros_like(opacity)
    expected[2:-2, 2:-2] = 255
    np.testing.assert_array_equal(opacity, expected)
