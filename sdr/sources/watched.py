"""The files that an entry of `tasks` or `detection` is made of: listed in its manifest, and still the same?"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sdr.base.errors import UserError
from sdr.base.outputs import scratch
from sdr.sources import manifest
from sdr.sources.manifest import File, Files

Section = Literal["tasks", "detection"]  # of params.yaml
_FOLDER = {"tasks": "", "detection": "detection"}  # among the manifests


@dataclass(frozen=True)
class Watched:
    """The files of an entry as they are now, without their hashes.

    Attributes:
        section, name: where the entry stands in params.yaml.
        root: what the paths are relative to, absolute; None: they are packages, "NAME==VERSION".
        files: from `manifest.scan` or `installed`.
    """

    section: Section
    name: str
    root: Path | None
    files: Files


def manifest_path(section: Section, name: str) -> Path:
    """Where the manifest lies, in the repository."""
    return Path("artifacts/manifests", _FOLDER[section], f"{name}.csv")


def private_copy(section: Section, name: str) -> Path:
    """Where the last hashes are kept, by absolute path."""
    return scratch() / "manifests" / _FOLDER[section] / f"{name}.csv"


def installed(packages: Iterable[str]) -> Files:
    """Return a row for each package, "NAME==VERSION".

    Raises:
        UserError: one is not installed.
    """
    try:
        return {f"{package}=={metadata.version(package)}": File(0, 0) for package in packages}
    except metadata.PackageNotFoundError as error:
        raise UserError(f"package {error.name} is not installed: run `make setup`") from None


def take_manifest(watched: Watched) -> Files:
    """Return the files with their hashes.

    Hashes of files that have not changed come from a private copy of the last manifest, which is then renewed.
    """
    if watched.root is None:
        return watched.files
    private = private_copy(watched.section, watched.name)
    known = manifest.read(private) if private.exists() else {}
    files = manifest.add_hashes(watched.root, watched.files, known)
    manifest.write(private, {f"{watched.root}/{path}": file for path, file in files.items()})
    return files


def write_manifest(watched: Watched) -> str:
    """Write the manifest; return a line that says what is in it."""
    files = take_manifest(watched)
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
        stage = {"tasks": "manifest", "detection": "manifest_detection"}[section]
        command = f"`dvc repro {stage}@{name}` (without DVC: `python -m stages.{stage} {name}`)"
        raise UserError(f"{path}: not found; run {command} first") from None


def check_files(watched: Watched, listed: Files) -> None:
    """Raise UserError unless the files are those of the manifest.

    A file of another time of change but of the same size is read and hashed: it may have been copied.
    """
    paths = manifest.differing(listed, watched.files)
    if watched.root is not None:
        touched = {path: watched.files[path] for path in paths if _as_long(listed, watched.files, path)}
        hashed = manifest.add_hashes(watched.root, touched, {}) if touched else {}
        paths = [path for path in paths if path not in hashed or hashed[path].sha256 != listed[path].sha256]
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
        what = {"tasks": "task", "detection": "detection"}[section]
        raise UserError(
            f"{what} {name}: {len(paths):,} of its files are not as its manifest lists them, such as {paths[0]}; "
            f"run `{command}` to take them as they are now"
        )


def _as_long(listed: Files, found: Files, path: str) -> bool:
    return path in listed and path in found and listed[path].bytes == found[path].bytes
