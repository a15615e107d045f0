import multiprocessing
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.decode import decode
from sdr.corpus.images import to_pixels
from sdr.corpus.store import ImageStore
from sdr.sources.corpus import Data, Reencode, prepare

STORES = ("decoded", "encoded", "files")


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


def _prepared(tmp_path, store, size=16, reencode=None):
    target = tmp_path / f"{store}-{size}"
    target.mkdir()
    prepare(Data(source="folder", side=size, store=store, reencode=reencode, max_bad_fraction=0.0), target)
    return target


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of JPEGs so large that they are decoded at a coarser scale."""
    root = tmp_path / "photographs"
    root.mkdir()
    for index, (width, height) in enumerate([(500, 375), (375, 500), (300, 300), (1200, 130)]):
        Image.effect_noise((width, height), 60).convert("RGB").resize((width, height)).save(root / f"{index}.jpg")
    monkeypatch.setenv("SDR_DATA", str(root))
    return root


@pytest.mark.parametrize("size", [16, 33])
def test_however_stored_the_same_is_read(images, tmp_path, size):
    stores = [ImageStore.open(_prepared(tmp_path, store, size)) for store in STORES]
    order = np.random.default_rng(1).permutation(23)
    expected = np.stack([_square(images / path, size) for path in sorted(_paths(images))])
    for store in stores:
        assert len(store) == 23 and store.domains == ["logos"] * 11 + ["noise"] * 12
        pixels = store.read(order)
        assert pixels.dtype == np.uint8 and pixels.flags.writeable
        np.testing.assert_array_equal(pixels, expected[order])
        np.testing.assert_array_equal(store.read([3, 3, 0]), expected[[3, 3, 0]])
        assert store.read(order[:0]).shape == (0, size, size, 3)
    assert len({store.meta["fingerprint"] for store in stores}) == 1


def _paths(root):
    return [path.relative_to(root) for path in root.rglob("*.*")]


def _square(path, size):
    """As the store is to read it, said once more: PNGs lie on the ground that their name draws."""
    return to_pixels(decode(path, size).image, size, path.relative_to(path.parents[1]).as_posix())


def test_coarsely_decoded_photographs_are_the_same_too(photographs, tmp_path):
    first, *others = (ImageStore.open(_prepared(tmp_path, store)).read(np.arange(4)) for store in STORES)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_encoded_again_they_look_alike(photographs, tmp_path):
    own = ImageStore.open(_prepared(tmp_path, "encoded", 32)).read(np.arange(4))
    reencode = Reencode(side=64, quality=95)
    again = ImageStore.open(_prepared(tmp_path, "encoded", 31, reencode)).read(np.arange(4))
    assert again.shape == (4, 31, 31, 3)
    np.testing.assert_allclose(own.mean((1, 2, 3)), again.mean((1, 2, 3)), atol=3)


def test_memory_is_not_shared_with_the_file(images, tmp_path):
    store = ImageStore.open(_prepared(tmp_path, "decoded"))
    before = store.read(np.arange(3))
    store.read(np.arange(3))[:] = 0
    np.testing.assert_array_equal(store.read(np.arange(3)), before)


@pytest.mark.parametrize("name", STORES)
def test_several_threads_read_at_once(images, tmp_path, name):
    store = ImageStore.open(_prepared(tmp_path, name))
    orders = [np.random.default_rng(i).permutation(23) for i in range(12)]
    whole = store.read(np.arange(23))
    with ThreadPoolExecutor(6) as pool:
        for order, pixels in zip(orders, pool.map(store.read, orders), strict=True):
            np.testing.assert_array_equal(pixels, whole[order])


def _sum(store):
    return int(store.read(np.arange(len(store))).astype(np.int64).sum()) + len(store.domains)


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_survives_fork_and_spawn(images, tmp_path, name, method):
    store = ImageStore.open(_prepared(tmp_path, name))
    expected = _sum(store)  # its threads run when it is forked
    context = multiprocessing.get_context(method)
    results = context.SimpleQueue()
    ranks = [context.Process(target=_put, args=(store, results), daemon=True) for _ in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
        assert rank.exitcode == 0
    assert [results.get(), results.get()] == [expected] * 2
    assert _sum(store) == expected


def _put(store, results):
    results.put(_sum(store))


@pytest.mark.parametrize("change", ["gone", "longer"])
def test_a_folder_that_changed_since_is_an_error(images, tmp_path, change):
    prepared = _prepared(tmp_path, "files")
    victim = images / "noise/04.jpg"
    victim.unlink() if change == "gone" else victim.write_bytes(victim.read_bytes() + b"x")
    with pytest.raises(UserError, match="1 of 23 files are gone or have changed .* noise/04.jpg"):
        ImageStore.open(prepared)


@pytest.mark.parametrize("store", ["decoded", "encoded"])
def test_what_is_kept_needs_no_folder(images, tmp_path, monkeypatch, store):
    prepared = _prepared(tmp_path, store)
    monkeypatch.delenv("SDR_DATA")
    assert ImageStore.open(prepared).read(np.array([3])).shape == (1, 16, 16, 3)


def test_a_file_that_breaks_while_training_is_named(images, tmp_path):
    store = ImageStore.open(_prepared(tmp_path, "files"))
    victim = images / "logos/01.png"
    victim.write_bytes(b"x" * victim.stat().st_size)
    with pytest.raises(UserError, match="01.png: cannot be read any more"):
        store.read(np.arange(5))


def test_an_unprepared_corpus_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="meta.json: not found; run `dvc repro prepare`"):
        ImageStore.open(tmp_path)


def test_an_encoded_picture_that_breaks_is_named(images, tmp_path):
    prepared = _prepared(tmp_path, "encoded")
    broken = (images / "noise/04.jpg").read_bytes()
    whole = (prepared / "images.arrow").read_bytes()
    assert whole.count(broken) == 1
    (prepared / "images.arrow").write_bytes(whole.replace(broken, bytes(len(broken))))
    with pytest.raises(UserError, match=r"images\.arrow: noise/04\.jpg: cannot be decoded any more: .*--force prepare"):
        ImageStore.open(prepared).read(np.arange(23))


def test_records_that_meta_does_not_describe_are_an_error(images, tmp_path):
    prepared, other = _prepared(tmp_path, "decoded"), _prepared(tmp_path, "files")
    shutil.copy(other / "images.arrow", prepared)
    with pytest.raises(
        UserError, match="images.arrow: 23 records of domain, .* not the 23 decoded pictures of meta.json"
    ):
        ImageStore.open(prepared)


def test_a_corpus_of_an_earlier_form_says_what_to_run(images, tmp_path):
    prepared = _prepared(tmp_path, "decoded")
    (prepared / "images.arrow").unlink()
    with pytest.raises(UserError, match="images.arrow: not found; run `dvc repro prepare`"):
        ImageStore.open(prepared)
