import multiprocessing
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sdr.base.errors import UserError
from sdr.detect.sets import Annotation, DetectionSet, encode, write


def _annotation(id, *boxes):
    return Annotation(
        id,
        20,
        30,
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.arange(1, len(boxes) + 1, dtype=np.int64),
        np.arange(len(boxes)) % 2 == 1,
    )


def _pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


LISTINGS = {
    "2007_train": [_annotation("VOC2007/b", (0, 1, 2.7, 3), (4, 5, 30, 20)), _annotation("VOC2007/a")],
    "2007_val": [_annotation("VOC2007/c", (1, 1, 2, 2))],
    "2007_test": [_annotation("VOC2007/d", (1, 1, 2, 2))],
    "2012_train": [_annotation("VOC2012/b", (1, 1, 2, 2))],
}
IDS = [annotation.id for annotations in LISTINGS.values() for annotation in annotations]


def _write(folder):
    folder.mkdir()
    images = ((id, encode(_pixels(seed))) for seed, id in enumerate(IDS))
    return write(folder, ["cat", "dog"], LISTINGS, images, {"note": 1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set") / "toy"
    _write(folder)
    return folder


def test_what_was_written_is_read(folder):
    found = DetectionSet.open(folder)
    assert found.classes == ["cat", "dog"] and found.meta == {"classes": ["cat", "dog"], "note": 1}
    for mine, theirs in zip(LISTINGS["2007_train"], found.annotations("train")):
        assert (mine.id, mine.height, mine.width) == (theirs.id, theirs.height, theirs.width)
        for name in ("boxes", "labels", "difficult"):
            one, other = getattr(mine, name), getattr(theirs, name)
            assert one.dtype == other.dtype and one.shape == other.shape
            np.testing.assert_array_equal(one, other)


def test_splits_are_made_of_parts_in_a_fixed_order(folder):
    found = DetectionSet.open(folder)
    ids = {split: [a.id for a in found.annotations(split)] for split in ("train", "val", "trainval", "test")}
    assert ids["train"] == ["VOC2007/b", "VOC2007/a", "VOC2012/b"]
    assert ids["val"] == ["VOC2007/c"] and ids["test"] == ["VOC2007/d"]
    assert ids["trainval"] == ["VOC2007/b", "VOC2007/a", "VOC2007/c", "VOC2012/b"]


def test_images_are_read_back_by_threads_and_by_forked_processes(folder):
    found = DetectionSet.open(folder)
    expected = {id: _pixels(seed).tobytes() for seed, id in enumerate(IDS)}
    image = found.image(IDS[0])
    assert image.shape == (20, 30, 3) and image.dtype == np.uint8 and image.flags.writeable
    order = IDS * 40
    with ThreadPoolExecutor(8) as pool:
        assert [image.tobytes() for image in pool.map(found.image, order)] == [expected[id] for id in order]
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert [i.tobytes() for i in pool.map(found.image, order)] == [expected[id] for id in order]


def test_the_same_content_gives_the_same_bytes(folder, tmp_path):
    _write(tmp_path / "again")
    for name in ("images.zip", "annotations.json", "meta.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_archive_holds_the_files_as_they_were(folder):
    with zipfile.ZipFile(folder / "images.zip") as archive:
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)  # a second preparation gives the same bytes
        assert archive.read("VOC2007/b.jpg") == encode(_pixels(0))


def test_a_set_that_is_not_there_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="toy/meta.json: not found; run `dvc repro prepare_detection@toy` first"):
        DetectionSet.open(tmp_path / "toy")
