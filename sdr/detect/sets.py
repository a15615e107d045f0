"""A prepared detection set on disk: encoded images in one file, their boxes in another."""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.corpus.decode import decode
from sdr.corpus.images import flatten

# Split → the listings it is made of, in this order. A listing is YEAR_LIST of VOC.
SPLITS = {
    "train": ("2007_train", "2012_train"),
    "val": ("2007_val",),
    "trainval": ("2007_train", "2007_val", "2012_train", "2012_val"),
    "test": ("2007_test",),
}
LISTINGS = ("2007_train", "2007_val", "2007_test", "2012_train", "2012_val")


Split = Literal["train", "val", "test"]
Rules = Literal["voc", "coco"]
_SLACK = 1.0  # pixels that a box may lie outside


class DetectionSpec(Section):
    """One entry of section `detection`; its name there is the set's name."""

    source: Literal["voc", "coco", "scenes"]
    """voc: VOCdevkit, or of `path`; coco: of `path`; scenes: fabricated from real pictures of the installed
    packages."""
    detector: str
    """One of `detectors`."""
    partial: bool = False
    """Accept splits of another size than the official ones; AP is then not comparable."""
    path: str | list[str] | None = None
    """A set of one's own: its folder or folders below $SDR_DATA_TASKS; null: the official VOC2007 and VOC2012."""
    classes: list[str] | None = Field(default=None, min_length=1)
    """Of one's own set; null: those of the annotations, by name (voc) or by number (coco)."""
    splits: dict[Split, str] = {"train": "train", "val": "val", "test": "test"}
    """Of one's own set: the list of each split, ImageSets/Main/LIST.txt (voc) or LIST.json (coco); without val, a fifth
    of train is held out, by a hash of the names."""
    first_pixel: Literal[0, 1] = 1
    """voc: number of the first pixel of a row; some programs count from 0."""

    @model_validator(mode="after")
    def _check(self) -> "DetectionSpec":
        if self.source == "coco" and self.path is None:
            raise ValueError("source coco needs `path`, the folder of the set below $SDR_DATA_TASKS")
        if self.source == "scenes" and self.path is not None:
            raise ValueError("source scenes takes no `path`: its pictures are made")
        for folder in (name for name in (*self.folders, *self.splits.values())):
            if folder.startswith("/") or ".." in folder.split("/") or not folder.strip():
                raise ValueError(f"{folder!r}: folders and lists are named from $SDR_DATA_TASKS on, without `..`")
        if len(set(self.folders)) < len(self.folders):
            raise ValueError(f"a folder twice in `path`: {', '.join(self.folders)}")
        if not {"train", "test"} <= self.splits.keys():
            raise ValueError("`splits` names the lists of train and of test, at least")
        return self

    @property
    def folders(self) -> list[str]:
        """Of a set of one's own."""
        return [self.path] if isinstance(self.path, str) else self.path or []

    @property
    def rules(self) -> Rules:
        """By which detections are scored."""
        return "coco" if self.source == "coco" else "voc"


@dataclass(frozen=True, eq=False)
class Annotation:
    """The objects of one image.

    Attributes:
        id: name of the image, unique in the set, such as "VOC2007/000005".
        height, width: of the image, in pixels.
        boxes: n×4 float32 (left, top, right, bottom) in continuous pixel coordinates, which are VOC's
            (xmin - 1, ymin - 1, xmax, ymax): 0 ≤ left < right ≤ width. An image without objects has n = 0.
        labels: n int64, 1 … C; 0 is left to the background.
        difficult: n bool; such objects count neither as found nor as missed. Of COCO's: crowds, regions of several.
    """

    id: str
    height: int
    width: int
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


class Sample(NamedTuple):
    """An annotated image and its file."""

    annotation: Annotation
    picture: Path


@dataclass
class Found:
    """What was read of a set's annotations.

    Attributes:
        splits: split → the listings it is made of.
        base: folder that paths in messages begin at.
        listings: the samples of each listing, in the order of the lists.
        clipped: annotation files with boxes up to a pixel outside of their image, which were clipped.
        zero: annotation files with boxes that begin at pixel 0, where pixels are counted from 1.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[str]]
    base: Path
    listings: dict[str, list[Sample]] = field(default_factory=dict)
    clipped: list[str] = field(default_factory=list)
    zero: list[str] = field(default_factory=list)

    def note(self, path: Path, clipped: bool, zero: bool) -> None:
        """Keep what there is to say of an annotation file."""
        name = path.relative_to(self.base).as_posix()
        self.clipped += [name] * clipped
        self.zero += [name] * zero


OWN_SPLITS = {"train": ("train",), "val": ("val",), "trainval": ("train", "val"), "test": ("test",)}


def inside(boxes: np.ndarray, width: int, height: int, written: Sequence[str], where: str) -> tuple[np.ndarray, bool]:
    """Clip boxes to their image; tell whether that changed one.

    Args:
        boxes: n×4 float32, as of `Annotation`.
        written: how each stands in the file, for messages.
        where: the file, and the image if it holds several.

    Raises:
        UserError: one lies more than a pixel outside, or has no area.
    """
    kept = np.clip(boxes, 0, [width, height, width, height], dtype=np.float32)
    if (np.abs(boxes - kept) > _SLACK).any():
        row = int(np.abs(boxes - kept).max(axis=1).argmax())
        raise UserError(
            f"{where}: box {written[row]} of object {row + 1} lies outside of the image, which is {width}×{height}; "
            "mend or remove it (where the picture has an EXIF orientation: boxes and size are of one and the same view)"
        )
    flat = (kept[:, 2:] <= kept[:, :2]).any(axis=1)
    if flat.any():
        row = int(flat.argmax())
        raise UserError(f"{where}: box {written[row]} of object {row + 1} has no area; mend or remove it")
    return kept, bool((boxes != kept).any())


def held_out(names: Iterable[str]) -> set[str]:
    """A fifth of some names, one at least, that stands in for a validation split: those of the smallest hashes."""
    ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
    return set(ranked[: max(1, len(ranked) // 5)])


class DetectionSet:
    """Images with boxes.

    Attributes:
        classes: names of the C classes; label i is classes[i - 1].
        meta: what `meta.json` says.
        rules: by which detections are scored; COCO's crowds are not trained with, VOC's difficult objects are.
    """

    def __init__(self, folder: Path, meta: dict, listings: dict[str, list[Annotation]]):
        self.meta = meta
        self.classes: list[str] = meta["classes"]
        self.rules: Rules = meta.get("rules", "voc")
        self._splits: Mapping[str, Sequence[str]] = meta.get("splits", SPLITS)
        self._listings = listings
        self._path = folder / "images.zip"
        with zipfile.ZipFile(self._path) as archive:  # where each image begins, and its bytes
            self._places = {info.filename: (info.header_offset, info.file_size) for info in archive.infolist()}

    @classmethod
    def open(cls, folder: str | Path) -> "DetectionSet":
        """Open a prepared set.

        Raises:
            UserError: there is none.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / "meta.json").read_text())
            rows = json.loads((folder / "annotations.json").read_text())
            return cls(folder, meta, {listing: [_from_row(row) for row in listed] for listing, listed in rows.items()})
        except FileNotFoundError as error:
            missing = error.filename
            raise UserError(f"{missing}: not found; run `dvc repro prepare_detection@{folder.name}` first") from None

    def annotations(self, split: str) -> list[Annotation]:
        """Return the annotations of a split ("train", "val", "trainval" or "test"), always in the same order."""
        return [annotation for listing in self._splits[split] for annotation in self._listings[listing]]

    def image(self, id: str) -> np.ndarray:
        """Decode an image: H×W×3 uint8 RGB, writable. Threads and forked processes may call it at once."""
        offset, size = self._places[_file(id)]
        with self._path.open("rb") as file:  # opened anew, as a shared file has one position for all
            file.seek(offset)
            name, extra = struct.unpack("<26x2H", file.read(30))  # a zip's local header, and what follows it
            file.seek(name + extra, io.SEEK_CUR)
            return to_rgb(file.read(size))


def to_rgb(content: bytes) -> np.ndarray:
    """Decode an image file's bytes completely: H×W×3 uint8.

    Raises:
        BadPicture: it is no image, or cut short.
    """  # the pixels as they lie in the file: `prepare` has looked at EXIF's orientation
    return np.array(flatten(decode(content).image, lambda ink: (255, 255, 255)))


def encode(pixels: np.ndarray) -> bytes:
    """Return an H×W×3 uint8 image as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    folder: Path,
    classes: Sequence[str],
    listings: Mapping[str, list[Annotation]],
    images: Iterable[tuple[str, bytes]],
    meta: dict | None = None,
) -> dict:
    """Write images.zip, annotations.json and meta.json: equal arguments, equal bytes. Return the meta.

    Args:
        folder: an existing folder.
        classes: names of the classes.
        listings: the annotations of each listing; one of `LISTINGS` that is left out is empty, unless `meta` has `splits`.
        images: (id, encoded file) of every image, for instance made by `encode`; taken one by one.
        meta: what to say in meta.json besides the classes.
    """
    write_images(folder, images)
    return write_annotations(folder, classes, listings, meta or {})


def write_images(folder: Path, images: Iterable[tuple[str, bytes]]) -> None:
    """Write images.zip; see `write`."""
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_STORED) as archive:
        for id, content in images:
            archive.writestr(zipfile.ZipInfo(_file(id)), content)  # dated 1980-01-01, not now


def write_annotations(
    folder: Path, classes: Sequence[str], listings: Mapping[str, list[Annotation]], meta: dict
) -> dict:
    """Write annotations.json and meta.json; see `write`."""
    named = LISTINGS if "splits" not in meta else listings
    rows = {listing: [_to_row(annotation) for annotation in listings.get(listing, [])] for listing in named}
    (folder / "annotations.json").write_text(json.dumps(rows) + "\n")
    meta = {"classes": list(classes), **meta}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    return meta


def _file(id: str) -> str:
    return f"{id}.jpg"


def _to_row(annotation: Annotation) -> dict:
    return {
        "id": annotation.id,
        "height": annotation.height,
        "width": annotation.width,
        "boxes": annotation.boxes.tolist(),
        "labels": annotation.labels.tolist(),
        "difficult": annotation.difficult.tolist(),
    }


def _from_row(row: dict) -> Annotation:
    return Annotation(
        row["id"],
        row["height"],
        row["width"],
        np.array(row["boxes"], dtype=np.float32).reshape(-1, 4),
        np.array(row["labels"], dtype=np.int64),
        np.array(row["difficult"], dtype=bool),
    )
