"""Prepare a detection set: read its annotations, check every picture, write both."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.decode import BadPicture, header, orientation, read
from sdr.corpus.entries import CHUNK, THREADS, Skipped
from sdr.detect import coco, own_voc, scenes, voc
from sdr.detect.files import look
from sdr.detect.sets import (
    Annotation,
    DetectionSpec,
    Found,
    Sample,
    encode,
    to_rgb,
    write_annotations,
    write_images,
)
from sdr.sources.manifest import Files
from sdr.sources.watched import check_files, check_read


def prepare_detection(name: str, spec: DetectionSpec, max_bad_fraction: float, manifest: Files, target: Path) -> dict:
    """Write images.zip, annotations.json and meta.json into `target`; return meta. Equal input, equal bytes.

    Args:
        name: the set's name in `detection`.
        spec: its entry there.
        max_bad_fraction: share of pictures that are skipped because they cannot be decoded, or have not the
            size that their annotation states.
        manifest: the set's files as they should be.
        target: an empty folder.

    Raises:
        UserError: files that differ from the manifest, what `voc.read` refuses, splits of another than the official size (unless `spec.partial`),
            too many bad pictures, or a listing none of whose pictures can be read.
    """
    check_files(look(name, spec), manifest)
    if spec.source == "scenes":
        with tempfile.TemporaryDirectory() as folder:
            scenes.write(Path(folder), scenes.COUNTS)
            return _write(name, spec, voc.read(Path(folder), scenes.CLASSES), 0.0, manifest, target)
    root = location.root(location.TASKS)
    if spec.path is not None:
        found = coco.read(root, spec) if spec.source == "coco" else own_voc.read(root, spec)
        return _write(name, spec, found, max_bad_fraction, manifest, target)
    found = voc.read(root / voc.DEVKIT, voc.CLASSES)
    if not spec.partial:
        _check_sizes(name, found)
    return _write(name, spec, found, max_bad_fraction, manifest, target)


def _check_sizes(name: str, found: Found) -> None:
    for listing, size in voc.SIZES.items():
        if len(found.listings[listing]) != size:
            year, split = listing.split("_")
            raise UserError(
                f"detection {name}: VOC{year}/ImageSets/Main/{split}.txt names {len(found.listings[listing]):,} images, "
                f"officially {size:,}; {voc.GET}, or set detection.{name}.partial: true (AP is then not comparable)"
            )


def _write(name: str, spec: DetectionSpec, found: Found, max_bad: float, manifest: Files, target: Path) -> dict:
    samples = [sample for listing in found.listings.values() for sample in listing]
    skipped = Skipped(max_bad, f"detection {name}")
    hashes: dict[str, str] = {}  # of the pictures that were kept
    write_images(target, _read_all(samples, spec.path is not None, skipped, hashes))
    skipped.check(len(hashes))
    root = found.base.parent if spec.path is None else found.base
    origins = {annotation.id: picture.relative_to(root).as_posix() for annotation, picture in samples}
    check_read("detection", name, manifest, ((origins[id], sha256) for id, sha256 in hashes.items()))
    listings = {
        listing: [annotation for annotation, _ in samples if annotation.id in hashes]
        for listing, samples in found.listings.items()
    }
    for listing, annotations in listings.items():
        if not annotations:
            why = skipped.reasons[0] if skipped.reasons else "there is none"
            raise UserError(f"detection {name}: no picture of {listing} can be read: {why}")
    meta = {
        "set": name,
        "source": spec.source,
        "rules": spec.rules,
        "splits": {split: list(names) for split, names in found.splits.items()},
        "images": {listing: len(annotations) for listing, annotations in listings.items()},
        "official": {listing: len(annotations) for listing, annotations in listings.items()} == voc.SIZES,
        "empty": {
            listing: sum(not len(a.labels) for a in rows) for listing, rows in listings.items()
        },  # without an object
        "objects": {listing: _count(rows, found.classes, difficult=False) for listing, rows in listings.items()},
        "difficult": {
            listing: _count(rows, found.classes, difficult=True) for listing, rows in listings.items()
        },  # among them
        "overlap": _overlap(listings, found.splits, hashes),
        "clipped": found.clipped,
        "zero": found.zero,
        "skipped": skipped.reasons,
    }
    return write_annotations(target, found.classes, listings, meta)


def _read_all(
    samples: list[Sample], own: bool, skipped: Skipped, hashes: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield (id, encoded file) of each picture that can be decoded and has its annotation's size, in order."""
    with ThreadPoolExecutor(THREADS) as pool, tqdm(total=len(samples), disable=None) as bar:
        for start in range(0, len(samples), CHUNK):
            chunk = samples[start : start + CHUNK]
            contents = pool.map(lambda sample: _read(sample, own), chunk)
            for (annotation, picture), content in zip(chunk, contents, strict=True):
                if isinstance(content, tuple):
                    hashes[annotation.id], encoded = content
                    yield annotation.id, encoded
                else:
                    skipped.reasons.append(f"{'/'.join(picture.parts[-3:])}: {content}")
            bar.update(len(chunk))


def _read(sample: Sample, own: bool) -> tuple[str, bytes] | str:
    """Return the file's hash and the bytes to keep, or why it is no use.

    Raises:
        UserError: EXIF says that one's own picture is shown another way than its pixels lie, and the annotation does
            not tell which of the two its boxes are for. The official sets' boxes are for the pixels.
    """
    annotation, picture = sample
    try:
        content = read(picture)
        pixels = to_rgb(content)
        turn = _orientation(content) if own else None
    except BadPicture as error:
        return str(error)
    digest = hashlib.sha256(content).hexdigest()
    stated = (annotation.height, annotation.width)
    if turn is None or pixels.shape[:2] == stated != pixels.shape[1::-1] and turn in _TRANSPOSING:
        upright = False  # nothing to turn, or the size is that of the pixels
    elif not len(annotation.boxes):
        upright = stated != pixels.shape[:2]
    elif turn in _TRANSPOSING and pixels.shape[1::-1] == stated != pixels.shape[:2]:
        upright = True
    else:
        raise UserError(
            f"{picture}: its EXIF orientation turns or mirrors the picture, and the annotation does not tell whether its "
            "boxes are for the picture as it is shown: write the picture upright, without EXIF (`mogrify -auto-orient`), "
            "and see that the boxes lie on their objects"
        )
    if upright:
        pixels = np.asarray(Image.fromarray(pixels).transpose(turn))
    height, width = pixels.shape[:2]
    if (height, width) != stated:
        return f"the picture is {width}×{height}, its annotation says {annotation.width}×{annotation.height}"
    return digest, encode(pixels) if upright else content


# EXIF's orientation → what shows the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TRANSPOSING = {_UPRIGHT[value] for value in (5, 6, 7, 8)}


def _orientation(content: bytes) -> Image.Transpose | None:
    """What shows a picture upright; None if it is so, as a TIFF always is: Pillow turns it as it decodes it."""
    image = header(content)
    return None if image.format == "TIFF" else _UPRIGHT.get(orientation(image))


def _count(annotations: list[Annotation], classes: tuple[str, ...], difficult: bool) -> dict[str, int]:
    """Return the number of objects of each class; `difficult`: only of those."""
    labels = Counter(int(label) for a in annotations for label in (a.labels[a.difficult] if difficult else a.labels))
    return {name: labels[label] for label, name in enumerate(classes, start=1)}


def _overlap(
    listings: Mapping[str, list[Annotation]], splits: Mapping[str, Sequence[str]], hashes: dict[str, str]
) -> dict[str, list[str]]:
    """Return the images that are in two splits by content, "id = id" each."""
    found = {}
    for one, other in (("train", "val"), ("trainval", "test")):
        ids = {split: [a.id for listing in splits[split] for a in listings[listing]] for split in (one, other)}
        known = {hashes[id]: id for id in ids[one]}
        found[f"{one}-{other}"] = [f"{known[hashes[id]]} = {id}" for id in ids[other] if hashes[id] in known]
    return found
