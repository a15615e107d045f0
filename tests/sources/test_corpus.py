import hashlib
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from sdr.base.errors import UserError
from sdr.corpus.records import Records
from sdr.sources.corpus import Data, prepare

FOLDER = {"source": "folder", "side": 8, "store": "decoded", "reencode": None, "max_bad_fraction": 0.1}
COLUMNS = ("domain", "origin", "sha256", "bytes", "width", "height")


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


def _rows(records):
    return list(zip(*map(records.column, COLUMNS), strict=True))


def test_records_and_meta_agree(images, target):
    meta = prepare(Data(**FOLDER), target)
    records = Records(target / "images.arrow")
    assert records.columns == [*COLUMNS, "content"] and len(records) == 20
    for index, (domain, origin, sha256, size, width, height) in enumerate(_rows(records)):
        path = images / origin
        assert domain == path.parent.name
        assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and size == path.stat().st_size
        assert (width, height) == Image.open(path).size
        assert records.content(index) == bytes((int(path.stem), 0, 0)) * 64  # 8×8 pixels
    assert meta == json.loads((target / "meta.json").read_text())
    assert meta["domains"] == {"a": 10, "b": 10} and meta["n"] == 20 and meta["skipped"] == []
    assert sorted(path.name for path in target.iterdir()) == ["images.arrow", "meta.json", "thumbnails.i8"]


def test_encoded_keeps_the_bytes_of_the_files(images, target):
    prepare(Data(**FOLDER | {"store": "encoded"}), target)
    records = Records(target / "images.arrow")
    for index, origin in enumerate(records.column("origin")):
        assert records.content(index) == (images / origin).read_bytes()


def test_files_keeps_none(images, target):
    prepare(Data(**FOLDER | {"store": "files"}), target)
    assert Records(target / "images.arrow").columns == list(COLUMNS)


def test_encoded_again_only_if_larger_and_asked(images, target):
    rng = np.random.default_rng(0)
    for name, shape, kind in (
        ("large", (60, 90, 3), "png"),
        ("clear", (90, 61, 4), "png"),
        ("grey", (33, 99), "jpg"),
    ):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(images / f"a/{name}.{kind}")
    prepare(Data(**FOLDER | {"store": "encoded", "reencode": {"side": 30, "quality": 70}}), target)
    records = Records(target / "images.arrow")
    kept = {origin: records.content(index) for index, origin in enumerate(records.column("origin"))}
    sizes = {"a/large.png": (45, 30), "a/clear.png": (30, 44), "a/grey.jpg": (90, 30)}
    for origin, content in kept.items():
        if origin not in sizes:
            assert content == (images / origin).read_bytes()
            continue
        picture = Image.open(io.BytesIO(content))
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", sizes[origin])
    source = Image.open(images / "a/large.png").convert("RGB").resize((45, 30), Image.Resampling.BICUBIC)
    expected = io.BytesIO()
    source.save(expected, "JPEG", quality=70)
    assert kept["a/large.png"] == expected.getvalue()
    described = {origin: rest for _, origin, *rest in _rows(records)}  # the source, not what is kept of it
    size = (images / "a/large.png").stat().st_size
    assert described["a/large.png"][1:] == [size, 90, 60]


@pytest.mark.parametrize("store", ["decoded", "encoded", "files"])
def test_twice_the_same_bits(images, target, tmp_path, store):
    (tmp_path / "again").mkdir()
    for folder in (target, tmp_path / "again"):
        prepare(Data(**FOLDER | {"store": store}), folder)
    for name in ("images.arrow", "meta.json"):
        assert (target / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_fingerprint_is_of_the_pixels(images, tmp_path):
    def fingerprint(**changes):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return prepare(Data(**FOLDER | changes), folder)["fingerprint"]

    first = fingerprint()
    assert first == fingerprint(store="encoded") == fingerprint(store="files")
    others = [
        fingerprint(side=9),
        fingerprint(store="encoded", reencode={"side": 9, "quality": 90}),
        fingerprint(store="encoded", reencode={"side": 9, "quality": 91}),
    ]
    (images / "a/00.png").rename(images / "b/00.png")
    others.append(fingerprint())
    Image.new("RGB", (10, 12), (0, 0, 1)).save(images / "b/00.png")
    others.append(fingerprint())
    assert len({first, *others}) == 6


def test_a_few_bad_files_are_skipped_and_counted(images, target):
    (images / "a/notes.txt").write_text("no picture")
    meta = prepare(Data(**FOLDER), target)
    assert meta["n"] == 20 and meta["skipped"] == ["a/notes.txt: not an image"]
    assert len(Records(target / "images.arrow")) == 20


def test_too_many_bad_files_are_listed(images, target):
    for index in range(3):
        (images / f"a/{index:02d}.png").write_bytes(b"") if index % 2 == 0 else (
            images / f"b/{index:02d}.png"
        ).write_bytes(b"")
    with pytest.raises(UserError, match="3 of 20 files cannot be read") as error:
        prepare(Data(**FOLDER), target)
    assert all(name in str(error.value) for name in ("a/00.png", "b/01.png", "a/02.png"))


@pytest.mark.parametrize("store", ["encoded", "files"])
@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_bad_files_are_found_however_stored(images, target, store, kind):
    path = images / f"a/broken.{kind}"
    Image.effect_noise((400, 400), 50).convert("RGB").save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])  # its header is whole
    meta = prepare(Data(**FOLDER | {"store": store}), target)
    assert meta["n"] == 20 and meta["skipped"][0].startswith(f"a/broken.{kind}: ")


def test_a_name_that_is_not_utf_8_is_a_bad_file(images, target):
    shutil.copy(images / "a/00.png", os.fsencode(images / "a") + b"/\xe9.png")
    meta = prepare(Data(**FOLDER), target)
    assert meta["n"] == 20 and "is not UTF-8" in meta["skipped"][0]


@pytest.mark.parametrize("store", ["encoded", "files"])
@pytest.mark.parametrize("source", ["builtin", "torchvision:ImageFolder"])
def test_what_has_no_files_must_be_decoded(source, target, store):
    with pytest.raises(UserError, match=f"data.store: {store} needs files of source folder or imagenet, not {source}"):
        prepare(Data(**FOLDER | {"source": source, "store": store}), target)


def test_torchvision_is_decoded(images, target):
    meta = prepare(Data(**FOLDER | {"source": "torchvision:ImageFolder"}), target)
    assert meta["domains"] == {"a": 10, "b": 10}


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "ftp"},
        {"source": "torchvision:"},
        {"side": 4},
        {"max_bad_fraction": 1.0},
        {"store": "packed"},
        {"reencode": {"side": 256, "quality": 90}},  # of decoded
        {"store": "files", "reencode": {"side": 256, "quality": 90}},
        {"store": "encoded", "side": 64, "reencode": {"side": 63, "quality": 90}},
        {"store": "encoded", "reencode": {"side": 64, "quality": 101}},
    ],
)
def test_parameters_are_checked(wrong):
    with pytest.raises(ValidationError):
        Data(**FOLDER | wrong)
