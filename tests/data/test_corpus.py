import csv
import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from sdr.data.corpus import Data, prepare
from sdr.errors import UserError

FOLDER = {"source": "folder", "size": 8, "pack": True, "max_bad_fraction": 0.1}


@pytest.fixture
def images(tmp_path, monkeypatch):
    root = tmp_path / "images"
    for index in range(20):
        (root / "ab"[index % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10 + index, 12), (index, 0, 0)).save(root / "ab"[index % 2] / f"{index:02d}.png")
    monkeypatch.setenv("SDR_DATA", str(root))
    return root


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_index_pixels_and_meta_agree(images, target):
    meta = prepare(Data(**FOLDER), target)
    with (target / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pixels = np.load(target / "images.npy", mmap_mode="r", allow_pickle=False)
    assert pixels.shape == (20, 8, 8, 3) and pixels.dtype == np.uint8
    for row, picture in zip(rows, pixels, strict=True):
        path = images / row["origin"]
        assert row["domain"] == path.parent.name
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (int(row["width"]), int(row["height"])) == Image.open(path).size
        assert (picture == (int(path.stem), 0, 0)).all()
    assert meta == json.loads((target / "meta.json").read_text())
    assert meta["domains"] == {"a": 10, "b": 10} and meta["n"] == 20 and meta["skipped"] == []
    assert meta["fingerprint"] == hashlib.sha256((target / "index.csv").read_bytes()).hexdigest()


def test_a_few_bad_files_are_skipped_and_counted(images, target):
    (images / "a/notes.txt").write_text("no picture")
    meta = prepare(Data(**FOLDER), target)
    assert meta["n"] == 20 and meta["skipped"] == ["a/notes.txt: not an image"]
    assert len(np.load(target / "images.npy")) == 20


def test_too_many_bad_files_are_listed(images, target):
    for index in range(3):
        (images / f"a/{index:02d}.png").write_bytes(b"") if index % 2 == 0 else (
            images / f"b/{index:02d}.png"
        ).write_bytes(b"")
    with pytest.raises(UserError, match="3 of 20 files cannot be read") as error:
        prepare(Data(**FOLDER), target)
    assert all(name in str(error.value) for name in ("a/00.png", "b/01.png", "a/02.png"))


def test_bad_files_are_found_even_without_packing(images, target):
    Image.effect_noise((40, 40), 50).save(images / "a/00.png")
    whole = (images / "a/00.png").read_bytes()
    (images / "a/00.png").write_bytes(whole[: len(whole) // 2])  # its header is whole
    meta = prepare(Data(**FOLDER | {"pack": False}), target)
    assert meta["n"] == 19 and meta["skipped"][0].startswith("a/00.png: ")


@pytest.mark.parametrize("source", ["builtin", "torchvision:ImageFolder"])
def test_what_has_no_files_must_be_packed(source, target):
    with pytest.raises(UserError, match="data.pack: false needs files"):
        prepare(Data(**FOLDER | {"source": source, "pack": False}), target)


def test_torchvision_is_packed(images, target):
    meta = prepare(Data(**FOLDER | {"source": "torchvision:ImageFolder"}), target)
    assert meta["domains"] == {"a": 10, "b": 10}


@pytest.mark.parametrize(
    "wrong", [{"source": "ftp"}, {"source": "torchvision:"}, {"size": 4}, {"max_bad_fraction": 1.0}]
)
def test_parameters_are_checked(wrong):
    with pytest.raises(ValidationError):
        Data(**FOLDER | wrong)
