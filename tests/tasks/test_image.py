import hashlib
import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from sdr.corpus.decode import BadPicture
from sdr.corpus.images import ground
from sdr.tasks.image import from_file, from_picture, resize_crop


def _protocol(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(Compose([Resize(size, InterpolationMode.BICUBIC), CenterCrop(size)])(image))


def _noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng([width, height]).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
@example(1, 1, 224)
@example(224, 224, 224)
@example(224, 225, 224)
@example(227, 224, 224)  # a margin of three: half-way is rounded to the even side
@example(229, 224, 224)
@example(3000, 2, 32)
@example(2, 3000, 32)
@example(500, 375, 224)
@example(32, 32, 224)
@settings(max_examples=80, deadline=None)
def test_resizing_and_cropping_are_torchvisions_to_the_bit(width, height, size):
    image = _noise(width, height)
    pixels = resize_crop(image, "a", size)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, _protocol(image, size))


def test_a_jpeg_is_decoded_in_full(tmp_path):
    _noise(1000, 700).save(tmp_path / "a.jpg", quality=95)
    loaded = from_file(tmp_path / "a.jpg", "a", 32)
    np.testing.assert_array_equal(loaded.pixels, _protocol(Image.open(tmp_path / "a.jpg").convert("RGB"), 32))
    assert (loaded.width, loaded.height) == (1000, 700)
    content = (tmp_path / "a.jpg").read_bytes()
    assert (loaded.bytes, loaded.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_opaque_pictures_of_any_mode_are_the_protocols(tmp_path, mode):
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    _noise(50, 40).convert(mode).save(tmp_path / f"a.{suffix}")
    reopened = Image.open(tmp_path / f"a.{suffix}").convert("RGB")
    np.testing.assert_array_equal(from_file(tmp_path / f"a.{suffix}", "a", 24).pixels, _protocol(reopened, 24))


def test_a_png_named_jpg_is_read_by_its_content(tmp_path):
    buffer = io.BytesIO()
    _noise(30, 20).save(buffer, "PNG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(from_file(tmp_path / "a.jpg", "a", 16).pixels, _protocol(_noise(30, 20), 16))


def test_sixteen_bit_grey_keeps_its_scale(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 32).astype(np.uint16), (32, 1))
    Image.fromarray(ramp).save(tmp_path / "a.png")
    pixels = from_file(tmp_path / "a.png", "a", 32).pixels
    assert np.abs(pixels[5, :, 1] - ramp[5] / 257).max() <= 1


@pytest.mark.parametrize("palette", [False, True])
def test_transparent_parts_show_the_ground_of_the_name(tmp_path, palette):
    array = np.zeros((20, 20, 4), dtype=np.uint8)
    array[:, 10:] = (200, 10, 10, 255)
    image = Image.fromarray(array)
    (image.quantize() if palette else image).save(tmp_path / "a.png")
    pixels = from_file(tmp_path / "a.png", "logo", 20).pixels
    assert (pixels[:, 12:] == (200, 10, 10)).all()
    assert tuple(pixels[0, 0]) == ground("logo", round(0.299 * 200 + 0.587 * 10 + 0.114 * 10))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_file_cut_short_is_an_error(tmp_path, kind):
    _noise(80, 80).save(tmp_path / "a", kind)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadPicture):
        from_file(tmp_path / "a", "a", 16)


@pytest.mark.parametrize("content", [None, b"", b"hello"])
def test_no_image_is_an_error(tmp_path, content):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(BadPicture):
        from_file(tmp_path / "a.jpg", "a", 16)


@pytest.mark.parametrize("size", [(100_000, 1), (1, 100_000)])
def test_a_line_of_pixels_does_not_fill_the_memory(size):
    with pytest.raises(BadPicture, match="is too long: resized to a short side of 224"):
        from_picture(Image.new("RGB", size), "a", 224)


def test_the_hash_of_a_picture_tells_modes_sizes_and_pixels_apart():
    pictures = [
        Image.new("RGB", (4, 6)),
        Image.new("RGB", (6, 4)),
        Image.new("L", (12, 6)),
        Image.new("RGB", (4, 6), (0, 0, 1)),
    ]
    hashes = [from_picture(picture, "a", 8).sha256 for picture in pictures]
    assert len(set(hashes)) == 4
    again = from_picture(pictures[0], "another name", 2)  # neither by name nor by the size it is stored at
    assert again.sha256 == hashes[0]
    assert (again.bytes, again.width, again.height, again.pixels.shape) == (72, 4, 6, (2, 2, 3))
