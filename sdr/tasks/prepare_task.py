"""Prepare a task: read its splits, check that they can be learnt from and tested on, write them."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.base.shown import shown
from sdr.corpus.entries import Entry, Skipped, read_all
from sdr.corpus.thumbnail import FILE as THUMBNAILS
from sdr.corpus.thumbnail import to_bytes
from sdr.sources.manifest import Files
from sdr.sources.watched import check_files, check_read
from sdr.tasks.checks import check_classes, check_sizes, count, joined_labels, raw_knn, spelt_alike, torn
from sdr.tasks.copies import compare_looks, look_report, overlap, said
from sdr.tasks.files import look, reader_of
from sdr.tasks.pack import Pack
from sdr.tasks.readers.reader import Reader, Splits
from sdr.tasks.sources import read_splits
from sdr.tasks.task import SPLITS, Task, TaskSpec


def prepare_task(
    name: str,
    spec: TaskSpec,
    size: int,
    max_bad_fraction: float,
    manifest: Files,
    target: Path,
) -> dict:
    """Write SPLIT.npy (n×S×S×3 uint8), labels.csv and meta.json into `target`; return meta.

    Of a person's own pictures also thumbnails.i8, a row (256 int8) each, as in labels.csv: `sdr.tasks.in_corpus` reads them.

    Args:
        name: the task's name in `tasks`.
        spec: its entry there.
        size: side S of the stored images; a data set of smaller images keeps their side.
        max_bad_fraction: share of unreadable files that are skipped.
        manifest: the task's files as they should be.
        target: an empty folder.

    Raises:
        UserError: unknown source, files that differ from the manifest, a split that is missing or has not its
            official size, too many unreadable files, or splits that make no task: `check_classes`.
    """
    reader, several = reader_of(name, spec), spec.metric == "map"
    check_files(look(name, spec), manifest)
    dropped: Counter = Counter()
    remarks: list[str] = []
    listed = read_splits(name, spec, dropped, remarks)
    if reader and not spec.partial:
        check_sizes(name, spec.source, reader, listed)
    side = min(size, reader.side) if reader and reader.side else size
    skipped = Skipped(max_bad_fraction, f"task {name}")
    kept: Splits = {}
    pictures: dict[str, list[tuple[str, str]]] = {}  # split → (origin, sha256)
    looks: dict[str, list[np.ndarray | None]] = {}  # split → thumbnails
    for split in (split for split in SPLITS if split in listed):
        entries = tqdm(listed[split], desc=f"prepare {name} {split}", unit=" images", disable=None)
        kept[split], hashes, looks[split] = _write_split(target / f"{split}.npy", entries, side, skipped)
        pictures[split] = [(entry.origin, sha256) for entry, sha256 in zip(kept[split], hashes, strict=True)]
        check_read("tasks", name, manifest, pictures[split])
    skipped.check(sum(map(len, kept.values())))
    classes = check_classes(name, listed, kept, several, official=reader is not None)
    if reader and not spec.partial and len(classes) != reader.n_classes:
        raise UserError(
            f"task {name}: {len(classes)} classes in train, {spec.source} has {reader.n_classes}; complete its files "
            f"({reader.get}), or set tasks.{name}.partial: true"
        )
    meta = _meta(name, spec, kept, classes) | {
        "size": side,
        "skipped": skipped.reasons,
        "duplicates_dropped": dropped["near-duplicate"],
        "blank_dropped": dropped["blank"],
        "partial": _partial(reader, kept),
        "turned": len(skipped.noted.get("turned", ())),
        "few_levels": len(skipped.noted.get("few levels", ())),
        **overlap(pictures),
    }
    counts = count(kept["train"], several)
    meta["warnings"] = [*_warnings(meta, reader, counts), *remarks, *skipped.remarks()]
    if reader is None:
        alike = compare_looks(pictures, looks) if spec.source != "builtin" else {}
        meta |= look_report(alike)
        if spec.source != "builtin":
            rows = [to_bytes(look).tobytes() for found in looks.values() for look in found]
            (target / THUMBNAILS).write_bytes(b"".join(rows))
        meta["warnings"] += [*_own_warnings(counts, kept, pictures, alike)]
    _write(target, kept, meta)
    return meta


def _write_split(
    path: Path, entries: Iterable[Entry], size: int, skipped: Skipped
) -> tuple[list[Entry], list[str], list[np.ndarray | None]]:
    """Write the images that can be read; return their entries, hashes and thumbnails."""
    kept, hashes, looks = [], [], []
    with Pack(path, size) as pack:
        for entry, loaded in read_all(entries, size, skipped):
            pack.append(loaded.pixels)
            kept.append(entry)
            hashes.append(loaded.sha256)
            looks.append(loaded.thumbnail)
    return kept, hashes, looks


def _meta(name: str, spec: TaskSpec, kept: Splits, classes: list[str]) -> dict:
    several = spec.metric == "map"
    tests = count(kept["test"], several)
    return {
        "task": name,
        "source": spec.source,
        "metric": spec.metric,
        "multilabel": several,
        "classes": classes,
        **{f"n_{split}": len(kept.get(split, ())) for split in SPLITS},
        "chance": round(100 / len(classes), 2),  # %
        "largest_class": round(100 * max(tests.values()) / len(kept["test"]), 2),  # % of the test images
    }


def _partial(reader: Reader | None, kept: Splits) -> dict[str, dict[str, int]]:
    """Return the splits of another size than the official one: how many images there are, and should be."""
    unlike = reader.unlike(kept) if reader else {}
    return {split: {"found": found, "official": size} for split, (found, size) in unlike.items()}


def _warnings(meta: dict, reader: Reader | None, train: Counter) -> Iterator[str]:
    """Say what does not stop the task, but has to be known to trust its numbers."""
    for split, sizes in meta["partial"].items():
        yield (
            f"split {split} has {sizes['found']:,} images, officially {sizes['official']:,}: its numbers compare "
            "with nobody's"
        )
    if reader and reader.metric != meta["metric"]:
        yield f"its metric is {meta['metric']}, the protocol's {reader.metric}"
    if meta["skipped"]:
        yield f"{len(meta['skipped']):,} files could not be read and were left out, such as {meta['skipped'][0]}"
    for pair, n in meta["overlap"].items():
        if n:
            example = " and ".join(map(shown, meta["overlap_examples"][pair][0]))
            yield f"{n:,} images are in both splits of {pair}, such as {example}"
    copies = sum(meta["duplicates"].values())
    if copies:
        yield f"{copies:,} images are copies of another one in their split (meta.json: duplicate_examples)"
    single = sorted(label for label, n in train.items() if n < 2)
    if single:
        yield f"one training image only of class {', '.join(single)}"


def _own_warnings(counts: Counter, kept: Splits, pictures: dict, alike: dict) -> Iterator[str]:
    """Say what is odd about the labels and looks of a person's own pictures."""
    if joined := joined_labels(counts):
        yield (
            f"{len(joined):,} labels look like several in one, such as `{shown(joined[0])}`: several labels of a picture are "
            "joined by `;`, with the metric map"
        )
    if pairs := spelt_alike(counts):
        one, other = map(shown, pairs[0])
        yield f"{len(pairs):,} pairs of labels are spelt alike, such as `{one}` and `{other}`: are they one class?"
    labelled = (
        (*pair, entry.domain) for split in kept for pair, entry in zip(pictures[split], kept[split], strict=True)
    )
    yield from said("pictures have the content of another one and another label", torn(labelled))
    for parts, found in alike.items():
        yield from said(f"pictures of {parts} look like another one (meta.json: look_alike_examples)", found)


def _write(target: Path, kept: Splits, meta: dict) -> None:
    """Write labels.csv and meta.json, and add to meta what raw pixels are worth."""
    rows = ((split, i, e.domain, e.origin) for split, entries in kept.items() for i, e in enumerate(entries))
    with (target / "labels.csv").open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file, lineterminator="\n").writerows([("split", "index", "label", "origin"), *rows])
    (target / "meta.json").write_text(json.dumps(meta) + "\n")
    meta["raw_knn"] = _raw_knn(Task.open(target))
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


def _raw_knn(task: Task) -> float | None:
    """Return the accuracy of raw pixels in %; None for a task of several labels."""
    if task.multilabel:
        return None
    arguments = [part for split in ("train", "test") for part in (task.images(split), task.targets(split))]
    return round(raw_knn(*arguments), 2)
