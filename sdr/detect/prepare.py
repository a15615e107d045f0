"""Prepare a detection set: read its annotations, check every picture, write both."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import UnidentifiedImageError
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.corpus.entries import CHUNK, THREADS, Skipped
from sdr.corpus.images import DECODE_ERRORS
from sdr.detect import scenes, voc
from sdr.detect.files import look
from sdr.detect.sets import (
    PARTS,
    SPLITS,
    Annotation,
    DetectionSpec,
    to_rgb,
    write_annotations,
    write_images,
)
from sdr.detect.voc import Sample, Voc
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
            too many bad pictures, or a part none of whose pictures can be read.
    """
    check_files(look(name, spec), manifest)
    if spec.source == "voc":
        devkit = location.root(location.TASKS) / voc.DEVKIT
        found = voc.read(devkit, voc.CLASSES)
        if not spec.partial:
            _check_sizes(name, found)
        return _write(name, spec, voc.CLASSES, found, max_bad_fraction, manifest, target)
    with tempfile.TemporaryDirectory() as folder:
        scenes.write(Path(folder), scenes.COUNTS)
        found = voc.read(Path(folder), scenes.CLASSES)
        return _write(name, spec, scenes.CLASSES, found, 0.0, manifest, target)


def _check_sizes(name: str, found: Voc) -> None:
    for part, size in voc.SIZES.items():
        if len(found.parts[part]) != size:
            year, split = part.split("_")
            raise UserError(
                f"detection {name}: VOC{year}/ImageSets/Main/{split}.txt names {len(found.parts[part]):,} images, "
                f"officially {size:,}; {voc.GET}, or set detection.{name}.partial: true (AP is then not comparable)"
            )


def _write(
    name: str,
    spec: DetectionSpec,
    classes: tuple[str, ...],
    found: Voc,
    max_bad: float,
    manifest: Files,
    target: Path,
) -> dict:
    samples = [sample for part in PARTS for sample in found.parts[part]]
    skipped = Skipped(max_bad, f"detection {name}")
    hashes: dict[str, str] = {}  # of the pictures that were kept
    write_images(target, _read_all(samples, skipped, hashes))
    skipped.check(len(hashes))
    origins = {annotation.id: "/".join((voc.DEVKIT, *picture.parts[-3:])) for annotation, picture in samples}
    check_read("detection", name, manifest, ((origins[id], sha256) for id, sha256 in hashes.items()))
    parts = {part: [annotation for annotation, _ in found.parts[part] if annotation.id in hashes] for part in PARTS}
    for part, annotations in parts.items():
        if not annotations:
            raise UserError(f"detection {name}: no picture of {part} can be read: {skipped.reasons[0]}")
    meta = {
        "set": name,
        "source": spec.source,
        "images": {part: len(annotations) for part, annotations in parts.items()},
        "official": {part: len(annotations) for part, annotations in parts.items()} == voc.SIZES,
        "empty": {part: sum(not len(a.labels) for a in parts[part]) for part in PARTS},  # without an object
        "objects": {part: _count(parts[part], classes, difficult=False) for part in PARTS},
        "difficult": {part: _count(parts[part], classes, difficult=True) for part in PARTS},  # among them
        "overlap": _overlap(parts, hashes),
        "clipped": found.clipped,
        "skipped": skipped.reasons,
    }
    return write_annotations(target, classes, parts, meta)


def _read_all(samples: list[Sample], skipped: Skipped, hashes: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield (id, encoded file) of each picture that can be decoded and has its annotation's size, in order."""
    with ThreadPoolExecutor(THREADS) as pool, tqdm(total=len(samples), disable=None) as bar:
        for start in range(0, len(samples), CHUNK):
            chunk = samples[start : start + CHUNK]
            for (annotation, picture), content in zip(chunk, pool.map(_read, chunk), strict=True):
                if isinstance(content, bytes):
                    hashes[annotation.id] = hashlib.sha256(content).hexdigest()
                    yield annotation.id, content
                else:
                    skipped.reasons.append(f"{'/'.join(picture.parts[-3:])}: {content}")
            bar.update(len(chunk))


def _read(sample: Sample) -> bytes | str:
    """Return the file's bytes, or why they are no use."""
    annotation, picture = sample
    try:
        content = picture.read_bytes()
        height, width, _ = to_rgb(content).shape
    except UnidentifiedImageError:
        return "not an image"
    except DECODE_ERRORS as error:
        return str(error)
    if (height, width) != (annotation.height, annotation.width):
        return f"the picture is {width}×{height}, its annotation says {annotation.width}×{annotation.height}"
    return content


def _count(annotations: list[Annotation], classes: tuple[str, ...], difficult: bool) -> dict[str, int]:
    """Return the number of objects of each class; `difficult`: only of those."""
    labels = Counter(int(label) for a in annotations for label in (a.labels[a.difficult] if difficult else a.labels))
    return {name: labels[label] for label, name in enumerate(classes, start=1)}


def _overlap(parts: dict[str, list[Annotation]], hashes: dict[str, str]) -> dict[str, list[str]]:
    """Return the images that are in two splits by content, "id = id" each."""
    found = {}
    for one, other in (("train", "val"), ("trainval", "test")):
        ids = {split: [a.id for part in SPLITS[split] for a in parts[part]] for split in (one, other)}
        known = {hashes[id]: id for id in ids[one]}
        found[f"{one}-{other}"] = [f"{known[hashes[id]]} = {id}" for id in ids[other] if hashes[id] in known]
    return found
