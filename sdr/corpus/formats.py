"""What a file's bytes say without decoding it: what it is, where none of our decoders knows it, so that the message can say what
to do; how often a JPEG wants to be gone over; and how to take the texts out of a PNG."""

import re
from importlib.util import find_spec

_CONVERT = "convert it to JPEG or PNG"
# First bytes, from which place on: what it is.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%!PS", f"EPS or PostScript, which is a program and is not run; {_CONVERT}"),
    (0, b"\xc5\xd0\xd3\xc6", f"EPS, which is a program and is not run; {_CONVERT}"),
    (0, b"%PDF", f"PDF; {_CONVERT}"),
    (0, b"8BPS", f"PSD (Photoshop); {_CONVERT}"),
    (0, b"gimp xcf", f"XCF (GIMP); {_CONVERT}"),
    (0, b"\xff\x0a", f"JPEG XL; {_CONVERT}"),
    (4, b"JXL ", f"JPEG XL; {_CONVERT}"),
    (0, b"\xd7\xcd\xc6\x9a", f"WMF; {_CONVERT}"),
    (40, b" EMF", f"EMF; {_CONVERT}"),
    (0, b"DDS ", f"DDS (a game's texture); {_CONVERT}"),
    (0, b"SIMPLE  =", f"FITS; {_CONVERT}"),
    (0, b"\x89HDF", f"HDF5; {_CONVERT}"),
    (0, b"\x93NUMPY", f"a NumPy array; {_CONVERT}"),
    (128, b"DICM", f"DICOM; {_CONVERT}"),
    (0, b"icns", f"ICNS; {_CONVERT}"),
    (0, b"\0\0\1\0", f"ICO; {_CONVERT}"),
    (0, b"\x0a\x05\x01", f"PCX; {_CONVERT}"),
    (0, b"PK\3\4", "a ZIP archive; unpack it"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it"),
    (0, b"Rar!", "a RAR archive; unpack it"),
    (0, b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM); take pictures from it"),
    (8, b"AVI ", "a video (AVI); take pictures from it"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; fetch the file with `git lfs pull`"),
)
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # of a JPEG's segments
_TEXT = (
    (b"<svg", f"SVG; {_CONVERT}"),
    (b"<html", "an HTML page: its download failed"),
    (b"<!doctype html", "an HTML page: its download failed"),
)


def described(content: bytes) -> str:
    """Return what a file seems to be and what to do with it; "not an image" if nothing is known of it."""
    if not content:
        return "an empty file"
    if not any(content[:4096]):
        return "zeros instead of a picture: a copy that was cut short"
    if content[4:8] == b"ftyp":
        if content[8:12] in _HEIF:
            installed = find_spec("pillow_heif") is not None
            return "a damaged HEIC" if installed else "HEIC: convert it to JPEG, or `pip install pillow-heif`"
        if content[8:12] in (b"avif", b"avis"):
            return "a damaged AVIF"
        return "a video (MP4 or QuickTime); take pictures from it"
    for place, magic, what in _MAGIC:
        if content[place : place + len(magic)] == magic:
            return what
    head = content[:1024].lower()
    return next((what for mark, what in _TEXT if mark in head), "not an image")


def scans(jpeg: bytes) -> int:
    """Return how many passes over the picture a JPEG asks for: 1 where the first holds everything, some 10 in a progressive one.

    Each takes time whatever it holds, even if it is a few bytes.
    """
    count, place, progressive, components = 0, 2, False, 0
    while (found := _MARKER.search(jpeg, place)) and (marker := found[0][1]) != 0xD9:
        segment = jpeg[found.start() + 2 : found.start() + 10]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame: its kind and its components
            progressive, components = marker in (0xC2, 0xC6, 0xCA, 0xCE), segment[7] if len(segment) > 7 else 0
        if marker == 0xDA:
            count += 1
            if count == 1 and not progressive and segment[2:3] == bytes([components]):
                return 1
        place = found.start() + 2 + int.from_bytes(segment[:2], "big")
    return count


def without_texts(png: bytes) -> bytes:
    """Return a PNG without its texts (comments, workflows, edits), of which Pillow takes a few megabytes only."""
    kept, place = [png[:8]], 8
    while place + 8 <= len(png):
        end = place + 12 + int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] not in (b"tEXt", b"zTXt", b"iTXt"):
            kept.append(png[place:end])
        place = end
    return b"".join(kept)
