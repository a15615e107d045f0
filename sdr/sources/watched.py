"""The files that the corpus, a task or a detection set is made of: listed in its manifest, and still the same?"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sdr.base.errors import UserError
from sdr.base.outputs import scratch
from sdr.sources import manifest
from sdr.sources.manifest import File, Files, Index, Stat, Stats

Section = Literal["data", "tasks", "detection"]  # of params.yaml
CORPUS = "corpus"  # what the one entry of `data` is called here
STAGES = {"data": "manifest_corpus", "tasks": "manifest", "detection": "manifest_detection"}
_FOLDER = {"data": "", "tasks": "tasks", "detection": "detection"}  # among the manifests
_WORD = {"data": "", "tasks": "task ", "detection": "detection "}
_INDEX = ("path", "bytes", "mtime_ns", "sha256")


@dataclass(frozen=True)
class Watched:
    """The files of an entry as they are now, without their hashes.

    Attributes:
        section, name: where the entry stands in params.yaml.
        root: what the paths are relative to, absolute; None: they are packages, "NAME==VERSION".
        found: from `manifest.scan` or `installed`.
    """

    section: Section
    name: str
    root: Path | None
    found: Stats


def stage_of(section: Section, name: str) -> str:
    """The stage that makes the manifest."""
    return STAGES[section] + ("" if section == "data" else f"@{name}")


def manifest_path(section: Section, name: str) -> Path:
    """Where the manifest lies, in the repository."""
    return Path("artifacts/manifests", _FOLDER[section], f"{name}.csv")


def indices(section: Section, name: str) -> list[Path]:
    """Where hashes are kept that were taken before, a file for each folder that the entry was looked for in."""
    return sorted(_index_folder(section).glob(f"{name}.{'?' * 16}.csv"))


def installed(packages: Iterable[str]) -> Stats:
    """Return a row for each package, "NAME==VERSION".

    Raises:
        UserError: one is not installed.
    """
    try:
        return {f"{package}=={metadata.version(package)}": Stat(0, 0) for package in packages}
    except metadata.PackageNotFoundError as error:
        raise UserError(f"package {error.name} is not installed: run `make setup`") from None


def take(watched: Watched) -> Files:
    """Return the files with their hashes. Those of files that have not changed come from the index, which is renewed."""
    if watched.root is None:
        return {path: File(0, "") for path in watched.found}
    path = _index_file(watched)
    known = manifest.read_index(path)
    taken = manifest.take(watched.root, watched.found, known)
    if taken != known:
        _replace(path, taken)
    return {name: File(row.bytes, row.sha256) for name, row in taken.items()}


def write_manifest(watched: Watched) -> str:
    """Write the manifest; return a line that says what is in it."""
    files = take(watched)
    manifest.write(manifest_path(watched.section, watched.name), files)
    size = sum(file.bytes for file in files.values()) / 1e6
    return f"manifest {watched.name}: {len(files):,} files, {size:,.1f} MB"


def listed_files(section: Section, name: str) -> Files:
    """Read the manifest of an entry.

    Raises:
        UserError: there is none, or it is malformed.
    """
    path = manifest_path(section, name)
    try:
        return manifest.read(path)
    except FileNotFoundError:
        by_hand = f"python -m stages.{STAGES[section]}" + ("" if section == "data" else f" {name}")
        command = f"`dvc repro {stage_of(section, name)}` (without DVC: `{by_hand}`)"
        raise UserError(f"{path}: not found; run {command} first") from None


def check_files(watched: Watched, listed: Files) -> None:
    """Raise UserError unless the files are those of the manifest."""
    paths = manifest.differing(listed, take(watched))
    _refuse(watched.section, watched.name, paths, f"python -m tools.refresh {watched.name}")


def check_read(section: Section, name: str, listed: Files, read: Iterable[tuple[str, str]]) -> None:
    """Raise UserError if a file was read with another content than the manifest lists.

    Args:
        section, name: the entry.
        listed: its manifest.
        read: (origin, sha256) of each picture; an origin that the manifest lists is a picture's own file.
    """
    paths = [origin for origin, sha256 in read if origin in listed and listed[origin].sha256 != sha256]
    _refuse(section, name, paths, f"python -m tools.refresh --rehash {name}")


def _refuse(section: Section, name: str, paths: list[str], command: str) -> None:
    if paths:
        raise UserError(
            f"{_WORD[section]}{name}: {len(paths):,} of its files are not as its manifest lists them, such as {paths[0]}; "
            f"run `{command}` to take them as they are now"
        )


def _index_folder(section: Section) -> Path:
    return scratch() / "manifests" / (_FOLDER[section] or section)


def _index_file(watched: Watched) -> Path:
    where = hashlib.sha256(os.fsencode(watched.root)).hexdigest()[:16]
    return _index_folder(watched.section) / f"{watched.name}.{where}.csv"


def _replace(path: Path, rows: Index) -> None:
    """Write the index under a name of this process's own first: experiments that run side by side share the folder."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    manifest.write(own, rows, _INDEX)
    os.replace(own, path)
