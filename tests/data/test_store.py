import json

import numpy as np
import pytest
from PIL import Image

from sdr.data.corpus import Data, prepare
from sdr.data.store import ImageStore
from sdr.errors import UserError


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder of 23 pictures of two domains, some transparent, of many sizes."""
    root = tmp_path / "images"
    rng = np.random.default_rng(0)
    for index in range(23):
        folder = root / ("noise", "logos")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        channels = 3 + index % 2
        array = rng.integers(0, 256, (20 + index, 50 - index, channels), dtype=np.uint8)
        Image.fromarray(array).save(folder / f"{index:02d}.{'png' if index % 2 else 'jpg'}")
    monkeypatch.setenv("SDR_DATA", str(root))
    return root


def _prepared(tmp_path, pack):
    target = tmp_path / f"pack-{pack}"
    target.mkdir()
    prepare(Data(source="folder", size=16, pack=pack, max_bad_fraction=0.0), target)
    return target


def test_packed_and_on_the_fly_read_the_same(images, tmp_path):
    packed, loose = (ImageStore.open(_prepared(tmp_path, pack)) for pack in (True, False))
    order = np.random.default_rng(1).permutation(23)
    assert len(packed) == len(loose) == 23
    assert packed.domains == loose.domains == ["logos"] * 11 + ["noise"] * 12
    np.testing.assert_array_equal(packed.read(order), loose.read(order))
    np.testing.assert_array_equal(packed.read(np.arange(23))[order], packed.read(order))
    assert packed.meta["fingerprint"] == loose.meta["fingerprint"]


def test_without_packing_no_pixels_are_stored(images, tmp_path):
    assert sorted(path.name for path in _prepared(tmp_path, False).iterdir()) == ["index.csv", "meta.json"]


@pytest.mark.parametrize("change", ["gone", "longer"])
def test_a_folder_that_changed_since_is_an_error(images, tmp_path, change):
    prepared = _prepared(tmp_path, False)
    victim = images / "noise/04.jpg"
    victim.unlink() if change == "gone" else victim.write_bytes(victim.read_bytes() + b"x")
    with pytest.raises(UserError, match="1 of 23 files are gone or have changed .* noise/04.jpg"):
        ImageStore.open(prepared)


def test_a_packed_store_needs_no_folder(images, tmp_path, monkeypatch):
    prepared = _prepared(tmp_path, True)
    monkeypatch.delenv("SDR_DATA")
    assert ImageStore.open(prepared).read(np.array([3])).shape == (1, 16, 16, 3)


def test_a_file_that_breaks_while_training_is_named(images, tmp_path):
    store = ImageStore.open(_prepared(tmp_path, False))
    victim = images / "logos/01.png"
    victim.write_bytes(b"x" * victim.stat().st_size)
    with pytest.raises(UserError, match="01.png: cannot be read any more"):
        store.read(np.arange(5))


def test_an_unprepared_corpus_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="meta.json: not found; run `dvc repro prepare`"):
        ImageStore.open(tmp_path)


def test_the_fingerprint_follows_the_content(images, tmp_path):
    before = json.loads((_prepared(tmp_path, True) / "meta.json").read_text())["fingerprint"]
    Image.new("RGB", (30, 30), (1, 2, 3)).save(images / "noise/00.jpg")
    after = json.loads((_prepared(tmp_path, False) / "meta.json").read_text())["fingerprint"]
    assert before != after
