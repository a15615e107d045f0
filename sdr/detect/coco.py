"""A set of one's own in COCO's format: a JSON of instances a split, boxes only.

Read and scored with faster-coco-eval, the maintained successor of pycocotools with the same classes and numbers:
wheels for every Python, no compiler, and a fifth of the time.
"""

import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sdr.base.errors import UserError
from sdr.detect.sets import OWN_SPLITS, Annotation, DetectionSpec, Found, Sample, held_out, inside


def read(root: Path, spec: DetectionSpec) -> Found:
    """Read all annotations; no picture is opened.

    Lists lie in the folder itself or in `annotations/`; pictures in the folder, in `images/`, or in a folder of either
    that is called as the list or the split.

    Args:
        root: what the folders of `spec.path` are relative to.

    Raises:
        UserError: a folder, list or picture is missing, a list is malformed, or lists differ in their classes.
    """
    classes: tuple[str, ...] | None = tuple(spec.classes) if spec.classes else None
    found = Found(classes or (), OWN_SPLITS, root, {"train": [], "val": [], "test": []})
    held = "val" in spec.splits and not any(_list(root / folder, spec.splits["val"]) for folder in spec.folders)
    for folder in spec.folders:
        for split, name in spec.splits.items():
            if split == "val" and held and spec.splits["val"] == "val":
                continue
            path = _list(root / folder, name)
            if path is None:
                raise UserError(f"{root / folder}: no {name}.json, neither there nor in annotations/; see `splits`")
            index = _load(path)
            names = tuple(each["name"] for each in sorted(index.dataset["categories"], key=lambda each: each["id"]))
            classes = classes or names
            if odd := set(names) - set(classes):
                raise UserError(f"{path}: unknown class {min(odd)!r}; it should be one of {', '.join(classes)}")
            found.listings[split] += _samples(root / folder, folder, path, split, index, classes, found)
    if not found.listings["val"]:
        out = held_out(sample.annotation.id for sample in found.listings["train"])
        found.listings["val"] = [sample for sample in found.listings["train"] if sample.annotation.id in out]
        found.listings["train"] = [sample for sample in found.listings["train"] if sample.annotation.id not in out]
    ids = [sample.annotation.id for samples in found.listings.values() for sample in samples]
    if len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise UserError(
            f"{root / spec.folders[0]}: {twice} is in two lists, or twice in one; every image is in one, once"
        )
    found.classes = classes or ()
    return found


def _list(folder: Path, name: str) -> Path | None:
    if not folder.is_dir():
        raise UserError(f"{folder}: not found; it should hold annotations/*.json and the pictures")
    places = [
        folder / f"{name}.json",
        *(folder / "annotations" / f"{stem}.json" for stem in (name, f"instances_{name}")),
    ]
    return next((place for place in places if place.is_file()), None)


def _load(path: Path) -> Any:
    """faster-coco-eval's index of a list, after looking at its form."""
    import json

    from faster_coco_eval import COCO

    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON in UTF-8 ({error}); export it again") from None
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise UserError(f"{path}: no COCO list of instances; it should hold the lists {', '.join(keys)}")
    needed = {
        "images": {"id": int, "file_name": str, "width": int, "height": int},
        "annotations": {"id": int, "image_id": int, "category_id": int, "bbox": list},
        "categories": {"id": int, "name": str},
    }
    for key, fields in needed.items():
        for place, row in enumerate(content[key]):
            for field, kind in fields.items():
                if not isinstance(row, dict) or not isinstance(row.get(field), kind) or isinstance(row[field], bool):
                    raise UserError(f"{path}: {key}[{place}].{field} is missing or no {kind.__name__}; mend it")
        known = [row["id"] for row in content[key]]
        if len(set(known)) < len(known):
            raise UserError(f"{path}: {key}: two have one id; ids are unique")
    names = [row["name"] for row in content["categories"]]
    if len(set(names)) < len(names):
        raise UserError(f"{path}: categories: two have one name")
    for field, key in (("image_id", "images"), ("category_id", "categories")):
        if odd := {row[field] for row in content["annotations"]} - {row["id"] for row in content[key]}:
            raise UserError(f"{path}: annotations have {field} {min(odd)}, which is none of {key}; mend or remove them")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the number 0 for an annotation: ours are made anew for scoring
        return COCO(content)


def _samples(
    folder: Path, name: str, path: Path, split: str, index: Any, classes: tuple[str, ...], found: Found
) -> Iterator[Sample]:
    label = {each["id"]: classes.index(each["name"]) + 1 for each in index.dataset["categories"]}
    for image in index.dataset["images"]:
        where = f"{path}: image {image['file_name']}"
        rows = index.loadAnns(index.getAnnIds(imgIds=[image["id"]]))
        boxes = np.array([_corners(row["bbox"], where) for row in rows], dtype=np.float32).reshape(-1, 4)
        crowd = [row.get("iscrowd", 0) for row in rows]
        if odd := [flag for flag in crowd if flag not in (0, 1) or isinstance(flag, float)]:
            raise UserError(f"{where}: `iscrowd` is 0 or 1, not {odd[0]!r}; mend it")
        width, height = image["width"], image["height"]
        if min(width, height) < 1:
            raise UserError(f"{where}: its size is {width}×{height}; mend it")
        kept, clipped = inside(boxes, width, height, [str(row["bbox"]) for row in rows], where)
        if clipped and not (found.clipped and found.clipped[-1] == path.relative_to(found.base).as_posix()):
            found.note(path, True, False)
        labels = np.array([label[row["category_id"]] for row in rows], dtype=np.int64)
        id = f"{name}/{image['file_name']}"
        annotation = Annotation(id, height, width, kept, labels, np.array(crowd, dtype=bool))
        yield Sample(annotation, _picture(folder, path, split, image["file_name"]))


def _corners(box: list, where: str) -> tuple[float, float, float, float]:
    numbers = [value for value in box if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != 4 or len(box) != 4 or not all(map(math.isfinite, numbers)):
        raise UserError(f"{where}: `bbox` {box} should be four numbers: left, top, width, height")
    left, top, width, height = numbers
    return left, top, left + width, top + height


def _picture(folder: Path, path: Path, split: str, name: str) -> Path:
    if os.path.isabs(name) or ".." in Path(name).parts:
        raise UserError(f"{path}: the picture {name} is outside of {folder}; names begin there, without `..`")
    stem = path.stem.removeprefix("instances_")
    places = [folder, *(folder / inner for inner in (stem, split))]
    places += [folder / "images", *(folder / "images" / inner for inner in (stem, split))]
    for place in places:
        if (place / name).is_file():
            return place / name
    tried = ", ".join(place.relative_to(folder).as_posix() for place in places)
    raise UserError(f"{folder}: picture {name} of {path.name} not found; looked in {tried}")
