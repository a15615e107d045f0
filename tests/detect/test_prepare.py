import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.detect import scenes, voc
from sdr.detect.files import look
from sdr.detect.prepare import prepare_detection
from sdr.detect.sets import DetectionSet, DetectionSpec
from sdr.sources import packages
from sdr.sources.watched import take
from tests.detect.voc_tree import jpeg, put, write_tree

VOC = DetectionSpec(source="voc", detector="tiny", partial=True)
PICTURE = "VOC2007/JPEGImages/000012.jpg"


@pytest.fixture
def devkit(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_DATA_TASKS", str(tmp_path / "tasks"))
    write_tree(tmp_path / "tasks/VOCdevkit")
    return tmp_path / "tasks/VOCdevkit"


@pytest.fixture
def target(tmp_path):
    (tmp_path / "voc").mkdir()
    return tmp_path / "voc"


def _prepare(target, bad=0.0, spec=VOC):
    return prepare_detection("voc", spec, bad, take(look("voc", spec)), target)


def _picture(mode, width=50, height=40, format="JPEG", value=0):
    buffer = io.BytesIO()
    Image.new(mode, (width, height), value).save(buffer, format)
    return buffer.getvalue()


def test_a_devkit_becomes_a_set(devkit, target):
    put(
        devkit,
        "VOC2007",
        "000012",
        [("cat", (1, 1, 50, 40)), ("cat", (2, 2, 9, 9), True), ("dog", (0, 1, 9, 9))],
    )
    put(devkit, "VOC2007", "000001", [], width=30, height=60)
    meta = _prepare(target)
    found = DetectionSet.open(target)
    assert meta == found.meta == json.loads((target / "meta.json").read_text())
    assert found.classes == list(voc.CLASSES)
    assert meta["images"] == {"2007_train": 2, "2007_val": 2, "2007_test": 3, "2012_train": 1, "2012_val": 2}
    assert meta["empty"]["2007_test"] == 1 and meta["empty"]["2007_train"] == 0
    assert {name: n for name, n in meta["objects"]["2007_train"].items() if n} == {
        "bus": 1,
        "cat": 2,
        "dog": 1,
    }
    assert {name: n for name, n in meta["difficult"]["2007_train"].items() if n} == {"cat": 1}
    assert meta["clipped"] == ["VOC2007/Annotations/000012.xml"] and meta["skipped"] == []
    assert meta["overlap"] == {"train-val": [], "trainval-test": []} and not meta["official"]
    for split in ("trainval", "test"):
        for each in found.annotations(split):
            content = (devkit / each.id.replace("/", "/JPEGImages/")).with_suffix(".jpg").read_bytes()
            with zipfile.ZipFile(target / "images.zip") as archive:
                assert archive.read(f"{each.id}.jpg") == content  # not encoded a second time
            image = found.image(each.id)
            assert image.shape == (each.height, each.width, 3)
            np.testing.assert_array_equal(image, np.asarray(Image.open(io.BytesIO(content))))


def test_a_second_preparation_gives_the_same_bytes(devkit, target, tmp_path):
    _prepare(target)
    for path in devkit.rglob("*.*"):
        os.utime(path, (1, 1))
    (tmp_path / "again").mkdir()
    _prepare(tmp_path / "again")
    for path in target.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (jpeg(1)[:-200], "truncated"),
        (b"no picture", "not an image"),
        (b"", "an empty file"),
        (jpeg(1, width=40, height=50), "the picture is 40×50, its annotation says 50×40"),
    ],
)
def test_a_bad_picture_is_skipped_and_listed_or_stops(devkit, target, content, reason):
    (devkit / PICTURE).write_bytes(content)
    with pytest.raises(UserError, match=f"detection voc: 1 of 10 files(.|\n)*{PICTURE}: (.*){reason}"):
        _prepare(target)
    meta = _prepare(target, bad=0.1)
    assert len(meta["skipped"]) == 1 and reason in meta["skipped"][0] and "0x" not in meta["skipped"][0]
    found = DetectionSet.open(target)
    assert meta["images"]["2007_train"] == 1 and meta["objects"]["2007_train"]["bus"] == 1
    assert [a.id for a in found.annotations("train")] == ["VOC2007/000017", "VOC2012/2008_000008"]
    for each in found.annotations("trainval"):
        assert found.image(each.id).shape == (40, 50, 3)  # no image is another's


def test_a_part_that_loses_all_its_pictures_stops(devkit, target):
    (devkit / "VOC2012/JPEGImages/2008_000008.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match="no picture of 2012_train can be read: VOC2012/JPEGImages/2008_000008.jpg"):
        _prepare(target, bad=0.5)


@pytest.mark.parametrize(
    "content", [_picture("CMYK"), _picture("I;16", format="PNG", value=40000), _picture("RGBA", format="PNG")]
)
def test_unusual_pictures_are_taken(devkit, target, content):
    (devkit / PICTURE).write_bytes(content)
    assert _prepare(target)["skipped"] == []
    image = DetectionSet.open(target).image("VOC2007/000012")
    assert image.shape == (40, 50, 3) and image.dtype == np.uint8


def test_a_picture_of_one_pixel_is_taken(devkit, target):
    put(devkit, "VOC2007", "000012", [("cat", (1, 1, 1, 1))], width=1, height=1)
    _prepare(target)
    assert DetectionSet.open(target).image("VOC2007/000012").shape == (1, 1, 3)


def test_pictures_in_two_splits_are_reported(devkit, target):
    (devkit / "VOC2007/JPEGImages/000005.jpg").write_bytes((devkit / PICTURE).read_bytes())
    (devkit / "VOC2007/JPEGImages/000002.jpg").write_bytes((devkit / "VOC2012/JPEGImages/2008_000002.jpg").read_bytes())
    assert _prepare(target)["overlap"] == {
        "train-val": ["VOC2007/000012 = VOC2007/000005"],
        "trainval-test": ["VOC2012/2008_000002 = VOC2007/000002"],
    }


def test_another_size_than_the_official_one_stops(devkit, target, monkeypatch):
    strict = VOC.model_copy(update={"partial": False})
    with pytest.raises(UserError, match="VOC2007/(.*)/train.txt names 2 images, officially 2,501;(.|\n)*partial: true"):
        _prepare(target, spec=strict)
    sizes = {"2007_train": 2, "2007_val": 2, "2007_test": 3, "2012_train": 1, "2012_val": 2}
    monkeypatch.setattr(voc, "SIZES", sizes)
    assert _prepare(target, spec=strict)["official"]


def test_where_the_files_should_lie_is_told(tmp_path, target, monkeypatch):
    with pytest.raises(UserError, match="SDR_DATA_TASKS is not set"):
        _prepare(target)
    monkeypatch.setenv("SDR_DATA_TASKS", str(tmp_path))
    with pytest.raises(
        UserError, match="detection voc: .*VOCdevkit/VOC2007/Annotations not found; get VOCtrainval(.|\n)*host.robots"
    ):
        _prepare(target)


def test_the_stage_writes_all_or_nothing(devkit, tmp_path):
    (tmp_path / "params.yaml").write_text(
        "data: {max_bad_fraction: 0.0}\ndetection:\n  street: {source: voc, detector: tiny, partial: true}\n"
    )

    def run(stage="prepare_detection"):
        command = [sys.executable, "-m", f"stages.{stage}", "street"]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = run()
    assert done.returncode == 1 and "run `dvc repro manifest_detection@street`" in done.stderr
    assert not (tmp_path / "artifacts").exists()
    assert run("manifest_detection").returncode == 0
    done = run()
    assert done.returncode == 0, done.stderr
    assert "street: 3 train, 2 val, 7 trainval, 3 test images, 20 classes" in done.stdout
    before = (tmp_path / "artifacts/detection/street/images.zip").read_bytes()
    (devkit / PICTURE).write_bytes(b"no picture")
    done = run()
    assert done.returncode == 1 and "1 of its files are not as its manifest lists them" in done.stderr
    assert run("manifest_detection").returncode == 0
    done = run()
    assert done.returncode == 1 and "Traceback" not in done.stderr and "000012.jpg: not an image" in done.stderr
    assert [path.name for path in (tmp_path / "artifacts/detection").iterdir()] == ["street"]
    assert (tmp_path / "artifacts/detection/street/images.zip").read_bytes() == before


def test_a_picture_that_changes_unseen_is_told_when_it_is_read(devkit, target, monkeypatch):
    listed = take(look("voc", VOC))
    path = f"VOCdevkit/{PICTURE}"
    listed[path] = listed[path]._replace(sha256="another")
    monkeypatch.setattr("sdr.detect.prepare.check_files", lambda *_: None)  # between it and the reading
    with pytest.raises(UserError, match=f"detection voc: 1 of .* such as {path}; run .* --rehash voc`"):
        prepare_detection("voc", VOC, 0.0, listed, target)


def test_the_scenes_are_made_of_the_packages_that_their_manifest_lists(monkeypatch, tmp_path):
    read, shipped = set(), packages.shipped
    for module in ("digits", "glyphs", "icons", "maps", "photographs"):
        monkeypatch.setattr(
            f"sdr.sources.builtin.{module}.shipped", lambda name, path: read.add(name) or shipped(name, path)
        )
    monkeypatch.setattr("sdr.detect.scenes.shipped", lambda name, path: read.add(name) or shipped(name, path))
    scenes._objects.cache_clear()
    scenes._grounds.cache_clear()
    scenes.write(tmp_path, {listing: 2 for listing in scenes.COUNTS})
    found = look("demo", DetectionSpec(source="scenes", detector="tiny"))
    assert found.root is None and read == {row.split("==")[0] for row in found.found}
