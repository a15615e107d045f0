"""Which files the corpus is made of."""

from pathlib import PurePosixPath

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.sources import manifest
from sdr.sources.builtin_packages import PACKAGES
from sdr.sources.watched import CORPUS, Watched, installed

JPEG = (".jpeg", ".jpg")


def look(source: str) -> Watched:
    """Look at the files of the corpus as they are now, without reading them. Paths are relative to $SDR_DATA.

    Args:
        source: `data.source`. The built-in corpus has one row a package, "NAME==VERSION"; of torchvision's data sets all
            files of the folder count, for which of them it reads is its own affair.

    Raises:
        UserError: there is no file.
    """
    if source == "builtin":
        packages = sorted({package for packages in PACKAGES.values() for package in packages})
        return Watched("data", CORPUS, None, installed(packages))
    root = location.root(location.CORPUS)
    if source == "imagenet":
        folder = root / "train"
        if not folder.is_dir():
            raise UserError(f"{folder}: not found; source `imagenet` expects {location.CORPUS}/train/WNID/*.JPEG")
        found = manifest.scan(root, ["train"])
        found = {path: stat for path, stat in found.items() if PurePosixPath(path).suffix.lower() in JPEG}
    else:
        folder, found = root, manifest.scan(root, [""])
    if not found:
        raise UserError(f"{folder}: no pictures in this folder ({location.CORPUS}={root}); put images into it")
    return Watched("data", CORPUS, root, found)
