"""A prepared detection set on disk: encoded images in one file, their boxes in another."""

import io
import json
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.corpus.images import decode, flatten

# Split → the parts it is made of, in this order. A part is YEAR_LIST of VOC.
SPLITS = {
    "train": ("2007_train", "2012_train"),
    "val": ("2007_val",),
    "trainval": ("2007_train", "2007_val", "2012_train", "2012_val"),
    "test": ("2007_test",),
}
PARTS = ("2007_train", "2007_val", "2007_test", "2012_train", "2012_val")


class DetectionSpec(Section):
    """One entry of section `detection`; its name there is the set's name."""

    # voc: $SDR_DATA_TASKS/VOCdevkit; scenes: fabricated from real pictures of the installed packages
    source: Literal["voc", "scenes"]
    # one of `detectors`
    detector: str
    # accept splits of another size than the official ones; AP is then not comparable
    partial: bool = False


@dataclass(frozen=True, eq=False)
class Annotation:
    """The objects of one image.

    Attributes:
        id: name of the image, unique in the set, such as "VOC2007/000005".
        height, width: of the image, in pixels.
        boxes: n×4 float32 (left, top, right, bottom) in continuous pixel coordinates, which are VOC's
            (xmin - 1, ymin - 1, xmax, ymax): 0 ≤ left < right ≤ width. An image without objects has n = 0.
        labels: n int64, 1 … C; 0 is left to the background.
        difficult: n bool; such objects count neither as found nor as missed.
    """

    id: str
    height: int
    width: int
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


class DetectionSet:
    """Images with boxes.

    Attributes:
        classes: names of the C classes; label i is classes[i - 1].
        meta: what `meta.json` says.
    """

    def __init__(self, folder: Path, meta: dict, parts: dict[str, list[Annotation]]):
        self.meta = meta
        self.classes: list[str] = meta["classes"]
        self._parts = parts
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
            return cls(folder, meta, {part: [_from_row(row) for row in rows[part]] for part in PARTS})
        except FileNotFoundError as error:
            missing = error.filename
            raise UserError(f"{missing}: not found; run `dvc repro prepare_detection@{folder.name}` first") from None

    def annotations(self, split: str) -> list[Annotation]:
        """Return the annotations of a split ("train", "val", "trainval" or "test"), always in the same order."""
        return [annotation for part in SPLITS[split] for annotation in self._parts[part]]

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
        one of `images.DECODE_ERRORS`: it is no image, or cut short.
    """
    return np.array(flatten(decode(content), lambda ink: (255, 255, 255)))


def encode(pixels: np.ndarray) -> bytes:
    """Return an H×W×3 uint8 image as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    folder: Path,
    classes: Sequence[str],
    parts: Mapping[str, list[Annotation]],
    images: Iterable[tuple[str, bytes]],
    meta: dict | None = None,
) -> dict:
    """Write images.zip, annotations.json and meta.json: equal arguments, equal bytes. Return the meta.

    Args:
        folder: an existing folder.
        classes: names of the classes.
        parts: the annotations of each of `PARTS`; one that is left out is empty.
        images: (id, encoded file) of every image, for instance made by `encode`; taken one by one.
        meta: what to say in meta.json besides the classes.
    """
    write_images(folder, images)
    return write_annotations(folder, classes, parts, meta or {})


def write_images(folder: Path, images: Iterable[tuple[str, bytes]]) -> None:
    """Write images.zip; see `write`."""
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_STORED) as archive:
        for id, content in images:
            archive.writestr(zipfile.ZipInfo(_file(id)), content)  # dated 1980-01-01, not now


def write_annotations(folder: Path, classes: Sequence[str], parts: Mapping[str, list[Annotation]], meta: dict) -> dict:
    """Write annotations.json and meta.json; see `write`."""
    rows = {part: [_to_row(annotation) for annotation in parts.get(part, [])] for part in PARTS}
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
