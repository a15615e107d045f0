"""Where a person's own images lie: environment variables, or the untracked file that `make init` writes.

A place is no parameter of an experiment, so it stands in no file that is committed.
"""

import os
from pathlib import Path

from sdr.base.errors import UserError
from sdr.corpus.walk import walk

CORPUS = "SDR_DATA"  # root of the corpus
TASKS = "SDR_DATA_TASKS"  # root of the tasks, one folder each
LOCAL = "local.yaml"  # in the main work tree; an environment variable that is set wins over it


def root(variable: str) -> Path:
    """Return the folder that the variable names; a relative one is taken from the root of the repository.

    Raises:
        UserError: neither the variable nor `LOCAL` says, or the folder does not exist or cannot be read.
    """
    value, here, said = _said(variable)
    if not value:
        option = {CORPUS: "IMAGES", TASKS: "TASKS"}.get(variable)
        init = f", or `make init {option}=/path/to/your/images`" if option else ""
        raise UserError(f"{variable} is not set; `export {variable}=/path/to/your/images`{init}")
    folder = Path(here, value).absolute()
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{variable}={value}{said}: {folder} {what}; set it to the folder of your images")
    return folder


def is_said(variable: str) -> bool:
    """Whether the environment or `LOCAL` names a folder, whichever is there."""
    return bool(_said(variable)[0])


def _said(variable: str) -> tuple[str | None, Path, str]:
    """The value, what it is relative to, and where it stands if not in the environment."""
    here = Path(os.environ.get("DVC_ROOT", "."))
    value = os.environ.get(variable)
    if not value and (file := _local_file(here)):
        return _local(file).get(variable), file.parent, f" in {file}"
    return value, here, ""


def _local_file(here: Path) -> Path | None:
    """`LOCAL` of the repository at `here`; of the main work tree where an experiment runs in a folder of DVC's within it."""
    here = here.absolute()
    mains = [folder for folder in here.parents if here.is_relative_to(folder / ".dvc/tmp")]
    return next((folder / LOCAL for folder in (here, *mains) if (folder / LOCAL).is_file()), None)


def _local(file: Path) -> dict[str, str]:
    from ruamel.yaml import YAML, YAMLError

    try:
        values = YAML(typ="safe").load(file.read_text(encoding="utf-8")) or {}
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not valid YAML: {error}; correct it, or run `make init` again") from None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise UserError(f"{file}: not lines `{CORPUS}: /path`; correct it, or run `make init` again")
    return values


def files(folder: Path) -> list[Path]:
    """Return the files of `walk`, sorted by path.

    Raises:
        UserError: a folder cannot be read.
    """
    return [folder / path for path in walk(folder).files]
