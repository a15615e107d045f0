"""One annotation file of PASCAL VOC → its boxes.

VOC counts pixels from 1 and its boxes hold their last pixel, so in continuous coordinates a box is
(xmin - 1, ymin - 1, xmax, ymax): a box of one pixel has area 1.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from sdr.base.errors import UserError
from sdr.detect.sets import Annotation, inside

_SIDES = ("xmin", "ymin", "xmax", "ymax")


class Parsed(NamedTuple):
    """What a file says.

    Attributes:
        names: of the objects' classes; the labels of `annotation` are all 0 until `labelled`.
        clipped: a box lay up to a pixel outside of the image.
        zero: a box begins at pixel 0, which is none where pixels are counted from 1.
    """

    annotation: Annotation
    names: tuple[str, ...]
    clipped: bool
    zero: bool


def parse(path: Path, id: str, first: int = 1) -> Parsed:
    """Read a file.

    Args:
        id: of the image, for the annotation.
        first: number of the first pixel of a row, 1 in VOC; some programs count from 0.

    Raises:
        UserError: it is malformed, or of an encoding that cannot be read; a flag that is neither 0 nor 1; a box without
            area or outside of the image.
    """
    root = _root(path)
    width, height = _size(path, root)
    objects = root.findall("object")  # of the image itself: an object's <part> has a name and a box of its own
    boxes = np.array([_box(path, each) for each in objects], dtype=np.float32).reshape(-1, 4)
    zero = first == 1 and bool((boxes[:, :2] == 0).any())
    boxes -= np.array([first, first, first - 1, first - 1], dtype=np.float32)
    written = [_voc(box, first) for box in boxes]
    kept, clipped = inside(boxes, width, height, written, str(path))
    for each in objects:
        _flag(path, each, "truncated")
    difficult = np.array([_flag(path, each, "difficult") for each in objects], dtype=bool)
    names = tuple((each.findtext("name") or "").strip() for each in objects)
    labels = np.zeros(len(objects), dtype=np.int64)
    return Parsed(Annotation(id, height, width, kept, labels, difficult), names, clipped, zero)


def labelled(path: Path, parsed: Parsed, classes: tuple[str, ...]) -> Annotation:
    """The annotation with its labels: 1 + the place of each name in `classes`.

    Raises:
        UserError: a name is none of them.
    """
    for name in parsed.names:
        if name not in classes:
            raise UserError(f"{path}: unknown class {name!r}; it should be one of {', '.join(classes)}")
    parsed.annotation.labels[:] = [classes.index(name) + 1 for name in parsed.names]
    return parsed.annotation


def _root(path: Path) -> ElementTree.Element:
    content = path.read_bytes()
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        problem = error
    # The parser reads no encoding of several bytes a letter but UTF-8 and UTF-16: Python may know what is declared.
    declared = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["'][^>]*\?>""", content)
    if declared:
        name = declared[1].decode()
        try:
            return ElementTree.fromstring(content[declared.end() :].decode(name))
        except (LookupError, UnicodeError):
            raise UserError(f"{path}: cannot be read in the encoding {name} that it declares; save as UTF-8") from None
        except (ElementTree.ParseError, ValueError):
            pass
    raise UserError(f"{path}: malformed XML: {problem}; mend it, or unpack the archive again")


def _size(path: Path, root: ElementTree.Element) -> tuple[int, int]:
    width, height = (_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
    if not (1 <= width < math.inf and 1 <= height < math.inf):
        raise UserError(f"{path}: no <size> with a <width> and a <height> of at least 1; add the image's size")
    return int(width), int(height)


def _box(path: Path, element: ElementTree.Element) -> tuple[float, ...]:
    # VOC2012 has a few decimals; the order of the four differs between files.
    box = tuple(_number(element.findtext(f"bndbox/{side}")) for side in _SIDES)
    if not math.isfinite(sum(box)):
        name = element.findtext("name")
        raise UserError(f"{path}: object {name}: no <bndbox> with the numbers {', '.join(_SIDES)}; mend or remove it")
    return box


def _flag(path: Path, element: ElementTree.Element, tag: str) -> bool:
    text = element.findtext(tag)
    if text is not None and text.strip() not in ("0", "1"):
        raise UserError(f"{path}: <{tag}> is 0 or 1, not {text.strip()!r} (object {element.findtext('name')}); mend it")
    return text is not None and text.strip() == "1"


def _number(text: str | None) -> float:
    """Return the number, or NaN where there is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _voc(box: np.ndarray, first: int) -> str:
    """Write a box as it stands in the file."""
    left, top, right, bottom = box.tolist()
    return f"({left + first:g}, {top + first:g}, {right + first - 1:g}, {bottom + first - 1:g})"
