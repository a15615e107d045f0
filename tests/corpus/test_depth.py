"""Pictures of more than 8 bits: by their type, never by their brightest pixel."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdr.corpus.decode import decode
from sdr.corpus.depth import FEW, few_levels, is_deep, to_8_bits

RAMP = np.linspace(0, 1, 256)[None].repeat(256, 0)


def eight(array, kind="TIFF", **options):
    """The picture of an array, through a file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    image = decode(buffer.getvalue()).image
    assert is_deep(image)
    return np.asarray(to_8_bits(image))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_sixteen_bits_that_use_their_range_are_divided_by_257(kind):
    grey = np.round(RAMP * 65535).astype(np.uint16)
    options = {"irreversible": False} if kind == "JPEG2000" else {}
    np.testing.assert_array_equal(eight(grey, kind, **options), np.round(grey / 257))


def test_an_8_bit_picture_saved_with_16_is_the_same():
    photo = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint16)
    np.testing.assert_array_equal(eight(photo * 257, "PNG"), photo)


def test_twelve_bits_in_sixteen_keep_their_levels():
    grey = np.round(RAMP * 4095).astype(np.uint16)
    found = eight(grey, "PNG")
    np.testing.assert_array_equal(found, np.round(grey * (255 / 4095)))
    assert len(np.unique(found)) == 256


@given(st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_one_pixel_changes_no_other(top, x, y):
    """Whatever the brightest pixel is, a hot one say."""
    grey = np.round(RAMP * 3000).astype(np.uint16)
    before = eight(grey, "PNG")
    grey[y, x] = top
    after = eight(grey, "PNG")
    same = np.ones_like(grey, dtype=bool)
    same[y, x] = False
    np.testing.assert_array_equal(after[same], before[same])


@given(st.integers(1, 65534))
@settings(max_examples=60, deadline=None)
def test_no_step_anywhere(top):
    """A picture as bright as the next one looks like it: 255 and 256, 4,095 and 4,096, 16,383 and 16,384."""
    one, other = (eight(np.round(RAMP * t).astype(np.uint16), "PNG").astype(int) for t in (top, top + 1))
    assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("low", [0.0, -1.0, 300.0])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, -9999.0, 3e38])
def test_floats_are_scaled_by_their_percentiles_whatever_a_few_pixels_hold(low, odd):
    clean = (low + 2 * RAMP).astype(np.float32)
    expected = np.clip(
        np.round((clean - np.percentile(clean, 0.1)) * 255 / np.ptp(np.percentile(clean, (0.1, 99.9)))), 0, 255
    )
    assert np.abs(eight(clean).astype(int) - expected).max() <= 1
    spoilt = clean.copy()
    spoilt[0, :8] = odd
    found = eight(spoilt)
    assert np.abs(found[1:].astype(int) - expected[1:]).max() <= 3
    if not np.isfinite(odd):
        assert (found[0, :8] == 0).all()


def test_what_a_file_marks_as_no_data_is_left_out_however_much_it_is():
    grey = RAMP.astype(np.float32)
    grey[:, 128:] = -9999
    found = eight(grey, tiffinfo={42113: "-9999"})
    assert (found[:, 128:] == 0).all() and found[:, :128].max() == 255


def test_whole_numbers_of_32_bits_are_scaled_as_floats():
    grey = np.round(RAMP * 1_000_000).astype(np.int32) - 500_000
    np.testing.assert_allclose(eight(grey).astype(float), RAMP * 255, atol=1)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf, -1e38])
def test_a_picture_of_one_value_is_black_or_so_and_warns_of_nothing(value, recwarn):
    found = eight(np.full((8, 8), value, dtype=np.float32))
    assert len(np.unique(found)) == 1 and not recwarn.list


@pytest.mark.parametrize(("top", "few"), [(200, True), (FEW * 16 - 40, True), (FEW * 16 + 40, False), (65535, False)])
def test_few_levels_are_told(top, few):
    image = to_8_bits(Image.fromarray(np.round(RAMP * top).astype(np.uint16)))
    assert few_levels(image) is few and (len(np.unique(np.asarray(image))) < FEW) is few
