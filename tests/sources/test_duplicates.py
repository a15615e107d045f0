import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdr.corpus.thumbnail import SAME, thumbnail
from sdr.sources.duplicates import Seen


def _picture(seed, side=48):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def test_the_product_of_thumbnails_is_their_correlation():
    one, other = _picture(1), _picture(2)
    greys = [np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX)).ravel() for image in (one, other)]
    assert np.isclose(thumbnail(one) @ thumbnail(other), np.corrcoef(*greys)[0, 1], atol=1e-5)


@given(st.integers(0, 1000), st.floats(0.4, 1.0), st.floats(0, 60), st.integers(32, 120))
@settings(max_examples=30, deadline=None)
def test_size_brightness_and_contrast_change_nothing(seed, contrast, brightness, side):
    image = _picture(seed, 64)
    changed = image.point(lambda value: value * contrast * 0.75 + brightness).resize((side, side), 3)
    assert thumbnail(image) @ thumbnail(changed) > 0.98


def test_a_picture_without_content_has_no_thumbnail():
    assert thumbnail(Image.new("RGB", (40, 40), (9, 99, 199))) is None
    assert thumbnail(Image.new("RGBA", (40, 40))) is None


def test_a_white_and_a_black_shape_on_nothing_both_have_one():
    for ink in (0, 255):
        array = np.zeros((40, 40, 4), dtype=np.uint8)
        array[10:30, 10:30] = (ink, ink, ink, 255)
        assert thumbnail(Image.fromarray(array)) is not None


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
@settings(max_examples=25, deadline=None)
def test_seen_keeps_each_picture_once(seeds):
    seen, kept = Seen(), []
    for seed in seeds:
        thumb = thumbnail(_picture(seed))
        expected = any(float(thumb @ other) >= SAME for other in kept)
        assert seen.resembles(thumb) == expected
        if not expected:
            seen.add(thumb)
            kept.append(thumb)
    assert len(kept) == len(set(seeds))


def test_seen_grows_beyond_its_first_room():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(2500, 256)).astype(np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    seen = Seen()
    for thumb in many:
        seen.add(thumb)
    assert all(seen.resembles(thumb) for thumb in many[::100])
    assert not seen.resembles(-many[0])
