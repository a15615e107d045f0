"""Where a person's own images lie: environment variables, because a place is no parameter of an experiment."""

import os
from pathlib import Path

from sdr.base.errors import UserError

CORPUS = "SDR_DATA"  # root of the corpus
TASKS = "SDR_DATA_TASKS"  # root of the tasks, one folder each


def root(variable: str) -> Path:
    """Return the folder that the variable names; a relative one is taken from the root of the repository.

    Raises:
        UserError: the variable is not set, or its folder does not exist or cannot be read.
    """
    value = os.environ.get(variable)
    if not value:
        raise UserError(f"{variable} is not set; `export {variable}=/path/to/your/images`")
    folder = Path(os.environ.get("DVC_ROOT", "."), value).absolute()
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{variable}={value}: {folder} {what}; set it to the folder of your images")
    return folder


def files(folder: Path) -> list[Path]:
    """Return all files below the folder, sorted by path; names that begin with a dot are left out.

    Raises:
        UserError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}; check its owner and mode") from None

    found = []
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)
