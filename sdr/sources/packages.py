"""Files that an installed package ships, found without importing the package."""

from importlib import metadata
from pathlib import Path

from sdr.base.errors import UserError


def shipped(package: str, path: str) -> Path:
    """Return the place of a file or folder of an installed package.

    Args:
        package: name on the package index, such as "scikit-image".
        path: path inside the installation, such as "skimage/data/coffee.png".

    Raises:
        UserError: the package is not installed, or does not ship that path.
    """
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise UserError(f"package {package} is not installed: run `make setup`") from None
    place = Path(str(found.locate_file(path)))
    if not place.exists():
        raise UserError(f"package {package} {found.version} has no {path}: `make setup` gets the right version")
    return place
