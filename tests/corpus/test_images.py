import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdr.corpus.decode import BadPicture, decode
from sdr.corpus.images import ground, to_pixels


def _encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(8, 40),
    st.sampled_from(["L", "RGB", "RGBA", "P", "LA", "1", "CMYK"]),
)
def test_any_picture_becomes_a_square_of_rgb(width, height, size, mode):
    pixels = to_pixels(Image.new(mode, (width, height)), size, "a")
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8


def test_the_centre_is_kept_of_a_wide_and_of_a_tall_picture():
    stripes = np.zeros((30, 90, 3), dtype=np.uint8)
    stripes[:, :30, 0], stripes[:, 30:60, 1], stripes[:, 60:, 2] = 255, 255, 255
    for array in (stripes, stripes.transpose(1, 0, 2)):
        pixels = to_pixels(Image.fromarray(array), 30, "a")
        assert (pixels == (0, 255, 0)).all()


def test_resizing_averages_instead_of_picking():
    checks = np.indices((128, 128)).sum(0) % 2 * np.uint8(255)  # pixels alternate between black and white
    pixels = to_pixels(Image.fromarray(checks.astype(np.uint8)), 16, "a")
    assert abs(pixels.astype(int) - 127).max() <= 3


def test_transparent_parts_show_the_ground_and_the_rest_does_not():
    array = np.zeros((20, 20, 4), dtype=np.uint8)
    array[:, 10:] = (200, 10, 10, 255)
    pixels = to_pixels(Image.fromarray(array), 20, "logo.png")
    grey = round(0.299 * 200 + 0.587 * 10 + 0.114 * 10)
    assert (pixels[:, 11:] == (200, 10, 10)).all()
    assert tuple(pixels[0, 0]) == ground("logo.png", grey)


@given(st.text(), st.floats(0, 255))
@settings(max_examples=40)
def test_ground_is_repeatable_and_stands_out(name, ink):
    colour = ground(name, ink)
    assert colour == ground(name, ink)
    assert abs(np.dot(colour, (0.299, 0.587, 0.114)) - ink) > 48


def test_about_a_third_of_the_grounds_is_white():
    white = sum(ground(str(name), 0.0) == (255, 255, 255) for name in range(600))
    assert 150 < white < 300


def test_sixteen_bit_grey_keeps_its_scale():
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    pixels = to_pixels(decode(_encoded(Image.fromarray(np.tile(ramp, (64, 1))))).image, 64, "a")
    assert np.abs(pixels[32, :, 0] - ramp / 257).max() <= 1


def test_coarse_decoding_of_a_jpeg_looks_like_the_full_one():
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((640, 640), 3)
    content = _encoded(smooth, "JPEG", quality=95)
    assert decode(content, 64).image.width < 640
    coarse, full = (to_pixels(decode(content, size).image, 64, "a").astype(int) for size in (64, None))
    assert np.abs(coarse - full).mean() < 1.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_file_cut_short_is_an_error(kind):
    content = _encoded(Image.effect_noise((80, 80), 60).convert("RGB"), kind)
    with pytest.raises(BadPicture):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_no_image_is_an_error(content):
    with pytest.raises(BadPicture):
        decode(content)
