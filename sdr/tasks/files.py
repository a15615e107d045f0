"""Which files a task is made of: where they lie, and how they are fetched."""

from pathlib import Path

from sdr.base.errors import UserError
from sdr.base.shown import shown
from sdr.corpus import location
from sdr.corpus.walk import hidden
from sdr.sources import manifest
from sdr.sources.builtin_packages import PACKAGES
from sdr.sources.watched import Watched, installed
from sdr.tasks.readers.reader import Reader
from sdr.tasks.task import TaskSpec

OWN = ("builtin", "folder", "csv")  # the other sources are data sets of the protocol


def reader_of(name: str, spec: TaskSpec) -> Reader | None:
    """Return what reads the task's data set of the protocol; None for the sources `OWN`.

    Raises:
        UserError: there is no such source, or the task asks of it what it cannot give.
    """
    if spec.source not in OWN[1:] and (spec.folder or spec.test_fraction):
        raise UserError(
            f"tasks.{name}: `folder` and `test_fraction` are for sources {' and '.join(OWN[1:])}; remove them"
        )
    if spec.source in OWN:
        if spec.download or spec.partial:
            raise UserError(
                f"tasks.{name}: `download` and `partial` are for data sets of the protocol; "
                f"remove them from a task of source {spec.source}"
            )
        return None
    from sdr.tasks.readers.registry import READERS

    if spec.source not in READERS:
        raise UserError(f"tasks.{name}.source: {spec.source} is none of {', '.join((*OWN, *READERS))}")
    reader = READERS[spec.source]
    if (spec.metric == "map") != (reader.metric == "map"):
        labels = "several labels" if reader.metric == "map" else "one label"
        raise UserError(
            f"tasks.{name}.metric: {spec.metric} does not suit {spec.source}, whose images have {labels} each; "
            f"the protocol's is {reader.metric}"
        )
    return reader


def fetch(name: str, spec: TaskSpec) -> None:
    """Download the data set if it is missing, the task allows it and its host still serves it."""
    reader = reader_of(name, spec)
    if reader is None or not spec.download or reader.download is None:
        return
    root = location.root(location.TASKS)
    if not all((root / folder).exists() for folder in reader.folders):
        reader.download(root)


def look(name: str, spec: TaskSpec) -> Watched:
    """Look at the files of a task as they are now, without reading them.

    Paths are relative to $SDR_DATA_TASKS. A built-in task has one row a package, "NAME==VERSION".

    Raises:
        UserError: some are missing.
    """
    if spec.source == "builtin":
        if name not in PACKAGES:
            raise UserError(f"tasks.{name}: no built-in task of that name; there are {', '.join(PACKAGES)}")
        return Watched("tasks", name, None, installed(PACKAGES[name]))
    root, folders = location.root(location.TASKS), _folders(name, spec)
    missing = [folder for folder in folders if not (root / folder).exists()]
    if missing:
        raise UserError(_say_missing(name, spec, root, missing))
    parts = folders if spec.source not in OWN else _parts(root, folders[0])
    return Watched("tasks", name, root, manifest.scan(root, parts))


def _folders(name: str, spec: TaskSpec) -> tuple[str, ...]:
    reader = reader_of(name, spec)
    return reader.folders if reader else (spec.folder or name,)


def _parts(root: Path, folder: str) -> list[str]:
    """What a task's own folder holds, each a walk of its own, as for the readers: links may lead from one split to another."""
    try:
        return [f"{folder}/{place.name}" for place in sorted((root / folder).iterdir()) if not hidden(place.name)]
    except OSError as error:
        raise UserError(f"{shown(error.filename)}: {error.strerror}; check its owner and mode") from None


def _say_missing(name: str, spec: TaskSpec, root: Path, missing: list[str]) -> str:
    reader = reader_of(name, spec)
    if reader is None:
        inside = "train.csv and test.csv" if spec.source == "csv" else "train/CLASS/* and test/CLASS/*"
        return f"task {name}: {root / (spec.folder or name)} not found; it should hold {inside}"
    if reader.download is None:
        fetch = ", which no host serves for download any more"
    else:
        fetch = "" if spec.download else f"; tasks.{name}.download: true fetches it"
    return (
        f"task {name}: {', '.join(missing)} of data set {spec.source} not found in {root} "
        f"({location.TASKS}){fetch}; {reader.get}"
    )
