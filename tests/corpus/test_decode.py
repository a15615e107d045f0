"""Pictures of every kind that people have, against Pillow itself; and what is no picture."""

import io
import os
import struct
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from sdr.base.errors import UserError
from sdr.corpus import decode as module
from sdr.corpus.decode import BadPicture, decode, read
from sdr.corpus.formats import scans

KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


def picture(width=90, height=60):
    coarse = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(kind, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(), kind, exif=exif, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_viewers_turn_them(kind, orientation):
    content = oriented(kind, orientation)
    seen = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    found = decode(content, upright=True)
    np.testing.assert_array_equal(np.asarray(found.image.convert("RGB")), np.asarray(seen))
    assert (found.width, found.height) == seen.size == ((60, 90) if orientation >= 5 else (90, 60))
    assert found.turned == (orientation > 1)


def test_a_coarsely_decoded_picture_is_turned_too_and_says_its_whole_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(picture(640, 320), "JPEG", exif=exif)
    found = decode(content, 16, upright=True)
    assert (found.width, found.height) == (320, 640) and found.image.size == (40, 80)


@pytest.mark.parametrize("orientation", [0, 1, 9, 65535])
def test_an_orientation_that_is_none_changes_nothing(orientation):
    content = oriented("JPEG", orientation)
    assert not decode(content, upright=True).turned and decode(content, upright=True).image.size == (90, 60)


def test_the_protocol_reads_pixels_as_they_are_stored():
    content = oriented("JPEG", 6)
    found = decode(content)
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(Image.open(io.BytesIO(content))))
    assert not found.turned and (found.width, found.height) == (90, 60)


def test_damaged_exif_is_forgiven():
    content = oriented("JPEG", 6)
    place = content.index(b"Exif\0\0") + 6
    damaged = content[:place] + b"\xff" * 12 + content[place + 12 :]
    found = decode(damaged, upright=True)
    assert found.image.size == (90, 60) and not found.turned


@given(st.sampled_from(KINDS + ("GIF", "BMP", "JPEG2000")), st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_damaged_is_a_picture_or_a_bad_one(kind, data):
    """Zeros, other bytes and cuts anywhere: an AVIF then raises RuntimeError, a TIFF KeyError or struct.error."""
    content = bytearray(encoded(picture(), kind))
    start = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["zeros", "noise", "cut"]))
    if how == "cut":
        del content[start:]
    else:
        length = data.draw(st.integers(1, 40))
        content[start : start + length] = bytes(length) if how == "zeros" else data.draw(st.binary(min_size=length))
    try:
        decode(bytes(content), data.draw(st.sampled_from([None, 8])), upright=True)
    except BadPicture as error:
        assert str(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), NotImplementedError(), KeyError(1), MemoryError(), RecursionError()]
)
def test_what_a_decoder_raises_is_the_files_fault(error, monkeypatch):
    def fail(image):
        raise error

    content = encoded(picture())
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(BadPicture):
        decode(content)


@pytest.mark.parametrize("name", ["most_pixels", "_open", "_formats", "Decoded", "described"])
def test_what_we_raise_is_ours(name, monkeypatch):
    def fail(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(module, name, fail)
    with pytest.raises(KeyError):
        decode(b"no picture" if name == "described" else encoded(picture()))


def test_a_program_is_never_started(monkeypatch, tmp_path):
    """Pillow starts `gs` for an EPS whatever it is called; a `gs` that is found would leave a file."""
    gs = tmp_path / "gs"
    gs.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    binary = struct.pack("<IIII", 0xC6D3D0C5, 32, len(eps), 0) + bytes(16) + eps
    for content in (eps, binary):
        with pytest.raises(BadPicture, match="EPS.* is a program and is not run"):
            decode(content)
    assert not (tmp_path / "started").exists()


def test_only_decoders_of_the_list_are_asked(monkeypatch):
    asked = []
    for name, (factory, accept) in list(Image.OPEN.items()):
        monkeypatch.setitem(Image.OPEN, name, (factory, lambda head, name=name, accept=accept: asked.append(name)))
    with pytest.raises(BadPicture):
        decode(b"anything else")
    assert set(asked) <= set(module.FORMATS) and "EPS" not in module.FORMATS


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (bytes(9), "zeros instead of a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC: convert it to JPEG, or `pip install pillow-heif`"),
        (b"\0\0\0\x18ftypmif1" + bytes(99), "HEIC"),
        (b"\0\0\0\x18ftypisom" + bytes(99), "a video"),
        (b"%PDF-1.4", "PDF"),
        (b"8BPS\0\1", "PSD"),
        (b"\xff\x0a\0", "JPEG XL"),
        (b"<?xml version='1.0'?><svg>", "SVG"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (bytes(128) + b"DICM", "DICOM|zeros"),
        (b"PK\3\4abc", "a ZIP archive"),
        (b"hello", "not an image"),
    ],
)
def test_what_is_no_picture_is_named(content, says):
    with pytest.raises(BadPicture, match=says):
        decode(content)


def test_a_cameras_raw_file_is_not_taken_for_its_thumbnail():
    info = {50706: (1, 4, 0, 0)}
    with pytest.raises(BadPicture, match="raw file, of which only a thumbnail"):
        decode(encoded(picture(), "TIFF", tiffinfo=info))


def with_scans(jpeg, times):
    """A JPEG with its last scan so many times more."""
    end = jpeg.rfind(b"\xff\xd9")
    return jpeg[:end] + jpeg[jpeg.rfind(b"\xff\xda") : end] * times + jpeg[end:]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"progressive": True, "quality": 100}])
def test_a_jpeg_of_endless_scans_is_refused(options):
    """Each costs a pass over all pixels: a small file could take hours."""
    jpeg = encoded(picture(), "JPEG", exif=thumbnailed(), **options)
    usual = 10 if options else 1
    assert scans(jpeg) == usual and decode(jpeg)
    assert scans(jpeg + b"\xff\xda" * 999) == usual  # a phone's film after the picture
    if options:
        assert scans(with_scans(jpeg, 7)) == usual + 7
        assert decode(with_scans(jpeg, 50))
        with pytest.raises(BadPicture, match="JPEG of 1,010 scans"):
            decode(with_scans(jpeg, 1000))


def test_the_scans_of_a_damaged_jpeg_are_counted_too():
    jpeg = encoded(picture(), "JPEG", progressive=True)
    for length in range(len(jpeg)):
        assert 0 <= scans(jpeg[:length]) <= 10


def thumbnailed():
    """EXIF that holds a progressive JPEG itself."""
    exif = Image.Exif()
    exif[0x010E] = encoded(picture(8, 8), "JPEG", progressive=True).decode("latin-1")
    return exif


def test_heic_is_read_once_its_package_is_there():
    """Not among the project's packages; `pip install pillow-heif` and run this test."""
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    found = decode(encoded(picture(), "HEIF", quality=95))
    assert found.image.size == (90, 60)
    assert np.abs(np.asarray(found.image, int) - np.asarray(picture(), int)).mean() < 5
    with pytest.raises(BadPicture, match="a damaged HEIC"):
        decode(b"\0\0\0\x18ftypheic" + bytes(99))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_png_with_long_texts_is_read(zipped):
    """Pillow refuses one megabyte of text in a chunk, and 64 in all."""
    texts = PngImagePlugin.PngInfo()
    for number in range(3):
        texts.add_text(f"workflow {number}", "x" * (30_000_000 if zipped else 2_000_000), zip=zipped)
    found = decode(encoded(picture(), pnginfo=texts)).image
    np.testing.assert_array_equal(np.asarray(found), np.asarray(picture()))


def test_the_most_pixels_can_be_raised(monkeypatch):
    content = encoded(Image.new("1", (100, 70)))
    monkeypatch.setenv("SDR_MAX_PIXELS", "6999")
    with pytest.raises(BadPicture, match=r"too large \(7,000 pixels\): the limit is 6,999.*export SDR_MAX_PIXELS="):
        decode(content)
    monkeypatch.setenv("SDR_MAX_PIXELS", "7000")
    assert decode(content).image.size == (100, 70)
    for value in ("-1", "many", "1e9", "0.5"):
        monkeypatch.setenv("SDR_MAX_PIXELS", value)
        with pytest.raises(UserError, match="give a positive whole number"):
            decode(content)


def test_beyond_pillows_own_limit(monkeypatch, recwarn):
    width, height = 40_000, 10_000  # of which Pillow says "decompression bomb"
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    with pytest.raises(BadPicture, match="the limit is 178,956,970 pixels; `export SDR_MAX_PIXELS=…` raises it"):
        decode(head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    monkeypatch.setenv("SDR_MAX_PIXELS", str(10**9))
    with pytest.raises(BadPicture, match="truncated|broken"):  # it was begun
        decode(head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    assert not recwarn.list


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 100)
    most, now, load = [0], [0], Image.Image.load

    def watched(image):
        now[0] += 1
        most[0] = max(most[0], now[0])
        try:
            return load(image)
        finally:
            now[0] -= 1

    monkeypatch.setattr(Image.Image, "load", watched)
    contents = [encoded(picture(200, 200), "BMP")] * 8
    threads = [threading.Thread(target=decode, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_pipes_and_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link"):
        with pytest.raises(BadPicture, match="no regular file"):
            read(tmp_path / name)
    with pytest.raises(BadPicture, match="No such file"):
        read(tmp_path / "nothing")


def test_a_file_far_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_MAX_PIXELS", "1000")
    with (tmp_path / "long").open("wb") as file:
        file.truncate(8001)
    with pytest.raises(BadPicture, match="8,001 bytes"):
        read(tmp_path / "long")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "HSV", "YCbCr"])
def test_every_mode_comes_out_as_one_that_can_be_flattened(mode, tmp_path):
    from sdr.corpus.images import flatten

    image = picture().convert("RGBA" if mode in ("PA", "LA") else "RGB")
    if mode == "LAB":
        from PIL import ImageCms

        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    elif mode == "PA":
        image = image.convert("P").convert("PA")
    else:
        image = image.convert(mode)
    try:
        content = encoded(image, "TIFF" if mode not in ("P", "PA", "HSV") else "PNG")
    except OSError:
        pytest.skip("no format holds it")
    try:
        assert flatten(decode(content).image, lambda ink: (0, 0, 0)).mode == "RGB"
    except BadPicture as error:
        assert "LAB" in str(error)
