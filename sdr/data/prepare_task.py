"""Prepare a task: read its splits, check that they can be learnt from and tested on, write them."""

import csv
import json
from collections import Counter
from pathlib import Path

from sdr.data.entries import Entry, Skipped, read_all
from sdr.data.pack import Pack
from sdr.data.raw_knn import raw_knn
from sdr.data.task import SPLITS, Task, TaskSpec, split_labels
from sdr.data.task_sources import SOURCES
from sdr.errors import UserError


def prepare_task(name: str, spec: TaskSpec, size: int, max_bad_fraction: float, target: Path) -> dict:
    """Write SPLIT.npy (n×S×S×3 uint8), labels.csv and meta.json into `target`; return meta.

    Args:
        name: the task's name in `tasks`.
        spec: its entry there.
        size: side S of the stored images.
        max_bad_fraction: share of unreadable files that are skipped.
        target: an empty folder.

    Raises:
        UserError: unknown source, missing split, too many unreadable files, fewer than two classes, a class
            with one training image, or a class of val or test that is not in train.
    """
    if spec.source not in SOURCES:
        raise UserError(f"tasks.{name}.source: {spec.source} is none of {', '.join(SOURCES)}")
    dropped: Counter = Counter()
    splits = SOURCES[spec.source](name, dropped)
    skipped = Skipped(max_bad_fraction, f"task {name}")
    rows, hashes = [], {}
    for split in SPLITS:
        kept, hashes[split] = _write_split(target / f"{split}.npy", splits.get(split, []), size, skipped)
        rows += [(split, index, entry.domain, entry.origin) for index, entry in enumerate(kept)]
    skipped.check(len(rows))
    classes = _check(name, rows, spec.metric == "map")
    meta = _meta(name, spec, rows, classes) | {
        "skipped": skipped.reasons,
        "duplicates_dropped": dropped["near-duplicate"],
        "blank_dropped": dropped["blank"],
        "overlap": _overlap(hashes),
    }
    with (target / "labels.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("split", "index", "label", "origin"), *rows])
    (target / "meta.json").write_text(json.dumps(meta) + "\n")
    meta["raw_knn"] = _raw_knn(Task.open(target))
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    return meta


def _write_split(
    path: Path, entries: list[Entry], size: int, skipped: Skipped
) -> tuple[list[Entry], list[str]]:
    """Write the images that can be read; return their entries and hashes. No entries, no file."""
    if not entries:
        return [], []
    kept, hashes = [], []
    with Pack(path, size) as pack:
        for entry, loaded in read_all(entries, size, skipped):
            pack.append(loaded.pixels)
            kept.append(entry)
            hashes.append(loaded.sha256)
    return kept, hashes


def _check(name: str, rows: list[tuple], multilabel: bool) -> list[str]:
    """Return the sorted classes of the training split, or say why the task is none."""
    counts = _count(rows, multilabel)
    for split in ("train", "test"):
        if not counts[split]:
            raise UserError(f"task {name}: no image in split {split}; put some into {split}/CLASS/")
    classes = sorted(counts["train"])
    if len(classes) < 2:
        raise UserError(f"task {name}: one class only, {classes[0]}; a task needs two or more")
    single = [label for label in classes if counts["train"][label] < 2]
    if single:
        raise UserError(f"task {name}: one training image only of class {', '.join(single)}; add some")
    for split in ("val", "test"):
        unknown = sorted(set(counts[split]) - set(classes))
        if unknown:
            raise UserError(f"task {name}: class {', '.join(unknown)} is in {split} but not in train")
    return classes


def _count(rows: list[tuple], multilabel: bool) -> dict[str, Counter]:
    """Return how many images of each class there are in each split."""
    counts: dict[str, Counter] = {split: Counter() for split in SPLITS}
    for split, _, label, _ in rows:
        counts[split].update(split_labels(label) if multilabel else [label])
    return counts


def _meta(name: str, spec: TaskSpec, rows: list[tuple], classes: list[str]) -> dict:
    sizes = Counter(row[0] for row in rows)
    multilabel = spec.metric == "map"
    tests = _count(rows, multilabel)["test"]
    return {
        "task": name,
        "metric": spec.metric,
        "multilabel": multilabel,
        "classes": classes,
        "n_train": sizes["train"],
        "n_val": sizes["val"],
        "n_test": sizes["test"],
        "chance": round(100 / len(classes), 2),  # %
        "largest_class": round(100 * max(tests.values()) / sizes["test"], 2),  # % of the test images
    }


def _overlap(hashes: dict[str, list[str]]) -> dict[str, int]:
    """Count the images of one split that are in another too, by content."""
    pairs = (("train", "val"), ("train", "test"), ("val", "test"))
    return {f"{a}-{b}": len(set(hashes[a]) & set(hashes[b])) for a, b in pairs if hashes[a] and hashes[b]}


def _raw_knn(task: Task) -> float | None:
    """Return the accuracy of raw pixels in %; None for a task of several labels."""
    if task.multilabel:
        return None
    arguments = [part for split in ("train", "test") for part in (task.images(split), task.targets(split))]
    return round(raw_knn(*arguments), 2)
