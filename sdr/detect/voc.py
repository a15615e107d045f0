"""PASCAL VOC as it lies on disk: VOCdevkit/VOC2007 and VOC2012, the detection annotations of their Main splits.

VOC counts pixels from 1 and its boxes hold their last pixel, so in continuous coordinates a box is
(xmin - 1, ymin - 1, xmax, ymax): a box of one pixel has area 1.
"""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from sdr.base.errors import UserError
from sdr.detect.sets import PARTS, Annotation

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
DEVKIT = "VOCdevkit"
FOLDERS = ("Annotations", "JPEGImages", "ImageSets/Main")  # of each year
YEARS = ("2007", "2012")
# Images of each list, as published with the challenges.
SIZES = {"2007_train": 2501, "2007_val": 2510, "2007_test": 4952, "2012_train": 5717, "2012_val": 5823}
GET = (
    "get VOCtrainval_06-Nov-2007.tar, VOCtest_06-Nov-2007.tar and VOCtrainval_11-May-2012.tar from "
    "http://host.robots.ox.ac.uk/pascal/VOC/ and unpack all three into the folder that holds VOCdevkit"
)
_SLACK = 1.0  # pixels that a box may lie outside


class Sample(NamedTuple):
    """An annotated image and its file."""

    annotation: Annotation
    picture: Path


@dataclass
class Voc:
    """What was read: the samples of each of `detection.PARTS`, in the order of the list files.

    Attributes:
        clipped: annotation files with boxes up to a pixel outside of their image, which were clipped.
    """

    parts: dict[str, list[Sample]] = field(default_factory=dict)
    clipped: list[str] = field(default_factory=list)


def read(devkit: Path, classes: tuple[str, ...]) -> Voc:
    """Read all annotations; no picture is opened.

    Args:
        devkit: the folder that holds VOC2007 and VOC2012.
        classes: names of the classes; label i is classes[i - 1].

    Raises:
        UserError: a folder, a list or a file is missing, the lists contradict each other, or an annotation
            is malformed.
    """
    lists = {year: _lists(devkit / f"VOC{year}", [p for p in PARTS if p[:4] == year]) for year in YEARS}
    voc = Voc()
    for part in PARTS:
        folder = devkit / f"VOC{part[:4]}"
        names = lists[part[:4]][part]
        _check_files(folder, part, names)
        voc.parts[part] = [_sample(devkit, folder, name, classes, voc.clipped) for name in names]
    return voc


def _lists(folder: Path, parts: list[str]) -> dict[str, list[str]]:
    """Return the image names of each part, no name in two of them."""
    for path in (folder, *(folder / name for name in FOLDERS)):
        if not path.is_dir():
            raise UserError(
                f"{path}: not found; it should hold Annotations/*.xml, JPEGImages/*.jpg and "
                f"ImageSets/Main/*.txt, all below {folder}; {GET}"
            )
    names = {part: _names(folder / f"ImageSets/Main/{part[5:]}.txt") for part in parts}
    seen: dict[str, str] = {}
    for part in parts:
        for name in names[part]:
            if name in seen:  # 2007's trainval and test lie in the same folders: only these lists part them
                where = f"{part[5:]}.txt and {seen[name][5:]}.txt" if seen[name] != part else f"{part[5:]}.txt, twice"
                raise UserError(
                    f"{folder / 'ImageSets/Main'}: {name} is in {where}; every image belongs to one list, once; {GET}"
                )
            seen[name] = part
    trainval = folder / "ImageSets/Main/trainval.txt"
    halves = {name for name, part in seen.items() if not part.endswith("test")}
    if odd := sorted(halves ^ set(_names(trainval))):
        raise UserError(
            f"{trainval}: is not train.txt and val.txt together: {len(odd)} images differ, such as {odd[0]}; {GET}"
        )
    return names


def _names(path: Path) -> list[str]:
    try:
        names = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        raise UserError(f"{path}: not found; it lists the images of a split, one name a line; {GET}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text file; {GET}") from None
    if not names:
        raise UserError(f"{path}: names no image; {GET}")
    return names


def _check_files(folder: Path, part: str, names: list[str]) -> None:
    for place, suffix, what in (("Annotations", ".xml", "annotation"), ("JPEGImages", ".jpg", "picture")):
        there = set(os.listdir(folder / place))
        missing = [name for name in names if name + suffix not in there]
        if missing:
            path = folder / place / (missing[0] + suffix)
            raise UserError(
                f"{path}: not found; {len(missing)} of the {len(names)} images of ImageSets/Main/{part[5:]}.txt "
                f"have no {what}; unpack the archive again, or take them out of the list"
            )


def _sample(devkit: Path, folder: Path, name: str, classes: tuple[str, ...], clipped: list[str]) -> Sample:
    path = folder / "Annotations" / f"{name}.xml"
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise UserError(f"{path}: malformed XML: {error}; unpack the archive again") from None
    width, height = _size(path, root)
    objects = root.findall("object")  # of the image itself: an object's <part> has a name and a box of its own
    boxes = np.array([_box(path, each) for each in objects], dtype=np.float32).reshape(-1, 4)
    inside = np.clip(boxes, 0, [width, height, width, height], dtype=np.float32)
    if (np.abs(boxes - inside) > _SLACK).any():
        row = int(np.abs(boxes - inside).max(axis=1).argmax())
        raise UserError(
            f"{path}: box {_voc(boxes[row])} of object {row + 1} lies outside of the image, which is "
            f"{width}×{height}; mend or remove it"
        )
    flat = (inside[:, 2:] <= inside[:, :2]).any(axis=1)
    if flat.any():
        row = int(flat.argmax())
        raise UserError(f"{path}: box {_voc(boxes[row])} of object {row + 1} has no area; mend or remove it")
    if (boxes != inside).any():
        clipped.append(path.relative_to(devkit).as_posix())
    labels = np.array([_label(path, each, classes) for each in objects], dtype=np.int64)
    difficult = np.array([(each.findtext("difficult") or "0").strip() != "0" for each in objects], dtype=bool)
    annotation = Annotation(f"{folder.name}/{name}", height, width, inside, labels, difficult)
    return Sample(annotation, folder / "JPEGImages" / f"{name}.jpg")


def _size(path: Path, root: ElementTree.Element) -> tuple[int, int]:
    width, height = (_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
    if not (1 <= width < math.inf and 1 <= height < math.inf):
        raise UserError(f"{path}: no <size> with a <width> and a <height> of at least 1; add the image's size")
    return int(width), int(height)


def _box(path: Path, element: ElementTree.Element) -> tuple[float, float, float, float]:
    # VOC2012 has a few decimals; the order of the four differs between files.
    sides = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (_number(element.findtext(f"bndbox/{side}")) for side in sides)
    if not math.isfinite(left + top + right + bottom):
        name = element.findtext("name")
        raise UserError(f"{path}: object {name}: no <bndbox> with the numbers {', '.join(sides)}; mend or remove it")
    return left - 1, top - 1, right, bottom


def _label(path: Path, element: ElementTree.Element, classes: tuple[str, ...]) -> int:
    name = (element.findtext("name") or "").strip()
    if name not in classes:
        raise UserError(f"{path}: unknown class {name!r}; it should be one of {', '.join(classes)}")
    return classes.index(name) + 1


def _number(text: str | None) -> float:
    """Return the number, or NaN where there is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _voc(box: np.ndarray) -> str:
    """Write a box as it stands in the file."""
    left, top, right, bottom = box.tolist()
    return f"({left + 1:g}, {top + 1:g}, {right:g}, {bottom:g})"
