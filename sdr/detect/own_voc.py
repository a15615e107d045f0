"""A set of one's own in VOC's format: one folder or several, any lists, any classes."""

import os
from collections.abc import Iterator
from pathlib import Path

from sdr.base.errors import UserError
from sdr.detect.sets import OWN_SPLITS, DetectionSpec, Found, Sample, held_out
from sdr.detect.voc_xml import Parsed, labelled, parse

FOLDERS = ("Annotations", "JPEGImages", "ImageSets/Main")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_FORM = "it should hold Annotations/*.xml, JPEGImages/* and ImageSets/Main/*.txt"


def read(root: Path, spec: DetectionSpec) -> Found:
    """Read all annotations; no picture is opened.

    Args:
        root: what the folders of `spec.path` are relative to.

    Raises:
        UserError: a folder, list or file is missing, an image is in two lists, or an annotation is malformed.
    """
    parsed: dict[str, list[tuple[Path, Parsed, Path]]] = {"train": [], "val": [], "test": []}
    for folder in spec.folders:
        for listing, names in _listings(root / folder, spec).items():
            parsed[listing] += _read(root / folder, folder, names, spec)
    classes = tuple(spec.classes or sorted({name for rows in parsed.values() for _, p, _ in rows for name in p.names}))
    if not classes or "" in classes:
        raise UserError(f"{root / spec.folders[0]}: no object has a class; each <object> needs a <name>")
    found = Found(classes, OWN_SPLITS, root)
    for listing, rows in parsed.items():
        for path, each, _ in rows:
            found.note(path, each.clipped, each.zero)
        found.listings[listing] = [Sample(labelled(path, each, classes), picture) for path, each, picture in rows]
    return found


def _listings(folder: Path, spec: DetectionSpec) -> dict[str, list[str]]:
    """The names of the images of each listing, in the order of the lists."""
    for path in (folder, *(folder / name for name in FOLDERS)):
        if not path.is_dir():
            raise UserError(f"{path}: not found; {_FORM}, all below {folder}")
    there = {name.removesuffix(".xml") for name in os.listdir(folder / "Annotations") if name.endswith(".xml")}
    lists = {split: folder / f"ImageSets/Main/{name}.txt" for split, name in spec.splits.items()}
    if not lists["train"].exists() and spec.splits["train"] == "train":
        lists["train"] = lists["train"].with_name("trainval.txt")
    if "val" in lists and not lists["val"].exists() and spec.splits["val"] == "val":
        del lists["val"]
    names = {split: list(_names(path, there)) for split, path in lists.items()}
    if "val" not in names:
        out = held_out(names["train"])
        names["val"] = [name for name in names["train"] if name in out]
        names["train"] = [name for name in names["train"] if name not in out]
    seen: dict[str, str] = {}
    for split, listed in names.items():
        for name in listed:
            if name in seen:
                where = f"{seen[name]} and {split}" if seen[name] != split else f"{split}, twice"
                raise UserError(f"{folder / 'ImageSets/Main'}: {name} is in {where}; every image is in one list, once")
            seen[name] = split
    return names


def _names(path: Path, there: set[str]) -> Iterator[str]:
    """The names in a list, one a line, spaces included; what follows one may be VOC's flag of a class, -1, 0 or 1."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise UserError(f"{path}: not found; it lists the images of a split, one name a line") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text in UTF-8; save it so") from None
    if not lines:
        raise UserError(f"{path}: names no image")
    missing = []
    for line in lines:
        name, _, flag = line.rpartition(" ")
        short = name.strip() if flag in ("-1", "0", "1") else line
        if line not in there and short not in there:
            missing.append(line)
        else:
            yield line if line in there else short
    if missing:
        raise UserError(
            f"{path.parents[2] / 'Annotations' / missing[0]}.xml: not found; {len(missing)} of the {len(lines)} images "
            f"of {path.name} have no annotation; add them, or take them out of the list"
        )


def _read(folder: Path, name: str, names: list[str], spec: DetectionSpec) -> Iterator[tuple[Path, Parsed, Path]]:
    pictures: dict[str, Path] = {}
    for file in sorted(os.listdir(folder / "JPEGImages"), reverse=True):  # of several the first by name
        stem, suffix = os.path.splitext(file)
        if suffix.lower() in PICTURES:
            pictures[stem] = folder / "JPEGImages" / file
    if missing := [each for each in names if each not in pictures]:
        raise UserError(
            f"{folder / 'JPEGImages' / missing[0]}.jpg: not found; {len(missing)} of the {len(names)} images of a list "
            "have no picture; add them, or take them out of the list"
        )
    for each in names:
        path = folder / "Annotations" / f"{each}.xml"
        yield path, parse(path, f"{name}/{each}", spec.first_pixel), pictures[each]
