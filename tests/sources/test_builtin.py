import hashlib
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from sdr.corpus.images import to_pixels
from sdr.corpus.thumbnail import SAME, thumbnail
from sdr.sources import builtin
from sdr.sources.builtin import glyphs, icons, maps, photographs, pictograms
from sdr.sources.builtin.pictures import crops

CORPUS = (
    "30917d786463f0f05aea259ba1a8569a5092c4f0c13471d9496f624d0a8372ac"  # of the domains and origins of its pictures
)


@pytest.fixture(scope="module")
def tasks():
    dropped = {name: Counter() for name in builtin.TASKS}
    return {name: builtin.examples(name, dropped[name]) for name in builtin.TASKS}


def _thumbnails(images):
    return np.stack([thumbnail(image) for image in images])


@pytest.mark.parametrize("name", list(builtin.TASKS))
def test_a_task_is_large_enough_and_every_class_is_in_both_splits(tasks, name):
    splits = Counter(example.split for example in tasks[name])
    assert splits["train"] >= 350 and splits["test"] >= 500 and len(tasks[name]) <= 1500
    classes = {split: {e.label for e in tasks[name] if e.split == split} for split in splits}
    assert classes["train"] == classes["test"]


@pytest.mark.parametrize("name", list(builtin.TASKS))
def test_no_two_pictures_of_a_task_are_near_duplicates(tasks, name):
    thumbnails = _thumbnails([example.image for example in tasks[name]])
    likeness = thumbnails @ thumbnails.T
    np.fill_diagonal(likeness, 0)
    assert likeness.max() < SAME


def _box(origin):
    x, y, side = map(int, origin.split("#")[1].split(","))
    return x, y, x + side, y + side


@pytest.mark.parametrize("name", ["photographs", "regions"])
def test_no_pixel_is_in_train_and_in_test(tasks, name):
    for source in {e.origin.split("#")[0] for e in tasks[name]}:
        train, test = (
            np.array([_box(e.origin) for e in tasks[name] if e.split == split and e.origin.startswith(f"{source}#")])
            for split in ("train", "test")
        )
        apart = (train[:, None, 2] <= test[:, 0]) | (test[:, 2] <= train[:, None, 0])
        apart |= (train[:, None, 3] <= test[:, 1]) | (test[:, 3] <= train[:, None, 1])
        assert apart.all()


def test_the_sources_of_tasks_are_not_in_the_corpus(tasks):
    assert not set(photographs.CORPUS) & set(photographs.TASK)
    west_of = maps.EAST[0]
    assert all(east < west_of for _, _, east, _ in maps.REGIONS.values())
    degree = 10800 / 360
    assert max(_box(e.origin)[2] for e in tasks["regions"]) / degree - 180 <= west_of
    _assert_held_out(islice(icons.corpus(), 100), islice(pictograms.corpus(), 400))


def _assert_held_out(of_icons, of_pictograms):
    assert not {picture.origin.split("/")[1] for picture in of_icons} & set(icons.TASK)
    words = {word for picture in of_pictograms for word in picture.origin.split("#")[1].split("-")}
    assert not words & set(pictograms.KINDS)


@pytest.mark.parametrize("name", list(builtin.DOMAINS))
def test_a_domain_is_the_same_in_every_run(name):
    first, again = (list(islice(builtin.DOMAINS[name](), 5)) for _ in range(2))
    assert [p.origin for p in first] == [p.origin for p in again]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(to_pixels(one.image, 64, one.origin), to_pixels(other.image, 64, other.origin))


def test_crops_stay_inside_their_box_and_within_their_sides():
    image = Image.effect_noise((200, 190), 60)
    box = (20, 30, 180, 170)
    found = list(crops(image, "a", 50, (24, 300), box))
    for picture in found:
        left, top, right, bottom = _box(picture.origin)
        assert box[0] <= left and box[1] <= top and right <= box[2] and bottom <= box[3]
        assert 24 <= right - left <= 140
        assert picture.image.size == (right - left, bottom - top)


@pytest.mark.parametrize(("name", "least"), [("pictograms", 150), ("icons", 0)])
def test_a_glyph_is_in_the_split_of_its_twins(tasks, name, least):
    """Filled and outlined, and of pictograms the same word of another font."""
    splits, twins = {}, 0
    for example in (e for e in tasks[name] if e.origin.startswith("qtawesome")):
        font, glyph = example.origin.split("#")
        word = glyph.removesuffix("-outline").removesuffix("-fill").removesuffix("-line")
        key = word if name == "pictograms" else (font, word)
        twins += key in splits
        assert splits.setdefault(key, example.split) == example.split, glyph
    assert twins >= least


def test_a_typeface_of_numerals_is_in_one_split(tasks):
    faces = {split: {_face(e.origin) for e in tasks["numerals"] if e.split == split} for split in ("train", "test")}
    assert faces == {"train": {"DejaVuSans", "STIX"}, "test": {"DejaVuSerif", "cm"}}


def _face(origin):
    font = origin.split("/")[-1]
    return next(face for face in ("DejaVuSans", "DejaVuSerif", "STIX", "cm") if font.startswith(face))


def test_a_code_point_of_a_font_is_drawn_once_in_a_task(tasks):
    """Codicon and others have several names for one glyph."""
    codes = {font.font: font.glyphs() for font in (*icons.FONTS.values(), glyphs.MATERIAL)}
    for name in ("icons", "pictograms"):
        drawn = [e.origin.split(":")[1].split("#") for e in tasks[name] if e.origin.startswith("qtawesome")]
        seen = Counter((font, codes[font][glyph]) for font, glyph in drawn)
        assert max(seen.values()) == 1


@pytest.mark.pipeline
def test_the_whole_corpus(tasks):
    dropped = Counter()
    corpus = list(builtin.corpus(dropped))
    domains = Counter(domain for domain, _ in corpus)
    assert len(corpus) >= 8000 and len(domains) >= 4
    assert max(domains.values()) <= 0.45 * len(corpus)
    thumbnails = _thumbnails([picture.image for _, picture in corpus])
    of_tasks = _thumbnails([example.image for examples in tasks.values() for example in examples])
    assert (thumbnails @ of_tasks.T).max() < SAME
    for domain in domains:
        inside = thumbnails[[name == domain for name, _ in corpus]]
        assert np.triu(inside @ inside.T, 1).max() < SAME
    assert dropped["near-duplicate"] > 0
    origins = "".join(f"{domain}|{picture.origin}\n" for domain, picture in corpus)
    assert hashlib.sha256(origins.encode()).hexdigest() == CORPUS, "the corpus changed, and with it every result"
    _assert_held_out(*([p for domain, p in corpus if domain == name] for name in ("icons", "pictograms")))
