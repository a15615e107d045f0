"""Sets of pictures with boxes in a folder: whether a sub-folder is one, in VOC's format or in COCO's."""

from pathlib import Path
from typing import Any

_VOC = ("Annotations", "JPEGImages", "ImageSets/Main")


def find_detection(folder: Path) -> tuple[dict[str, Any], str, list[str]] | None:
    """Look whether a folder is a detection set; nothing is read but names.

    Returns:
        its entry in section `detection`, without the detector; what it is, in words; what is wrong with it. None: it
        is none.
    """
    if all((folder / name).is_dir() for name in _VOC):
        lists = sorted(path.stem for path in (folder / "ImageSets/Main").glob("*.txt"))
        return _entry(folder, "voc", "trainval" if "train" not in lists else "train", lists, "ImageSets/Main/*.txt")
    files = [*folder.glob("*.json"), *(folder / "annotations").glob("*.json")]
    lists = sorted(path.stem.removeprefix("instances_") for path in files)
    train = next((name for name in lists if name.startswith("train")), None)
    return _entry(folder, "coco", train, lists, "annotations/*.json") if train else None


def _entry(
    folder: Path, source: str, train: str, lists: list[str], where: str
) -> tuple[dict[str, Any], str, list[str]]:
    def named(split: str) -> str | None:
        return next((name for name in lists if name == split or name.startswith(f"{split}2")), None)  # val2017

    splits = {"train": train if train in lists else None, "val": named("val"), "test": named("test")}
    if splits["test"] is None and splits["val"]:  # COCO's own test images have no boxes: the others are tested on
        splits["test"], splits["val"] = splits["val"], None
    given = {split: name for split, name in splits.items() if name}
    spec = {"source": source, "path": folder.name, "splits": given}
    wrong = [
        f"{folder}: no list of the split {split} in {where}; found {', '.join(lists) or 'none'}"
        for split in ("train", "test")
        if split not in given
    ]
    says = f"pictures with boxes in {source.upper()}'s format, lists {', '.join(given.values())}"
    held = "" if "val" in given else "; a fifth of train is held out for validation"
    return spec, says + held, wrong
