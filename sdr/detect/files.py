"""Which files a detection set is made of."""

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.detect import scenes, voc
from sdr.detect.sets import DetectionSpec
from sdr.sources import manifest
from sdr.sources.builtin_packages import PACKAGES
from sdr.sources.watched import Watched, installed


def look(name: str, spec: DetectionSpec) -> Watched:
    """Look at the files of a detection set as they are now, without reading them.

    Those of a set of one's own lie in its folders, those of the official VOC are the annotations, lists and pictures of both years, their paths relative to
    $SDR_DATA_TASKS; the scenes are made of pictures of built-in tasks, so of their packages.

    Raises:
        UserError: some are missing.
    """
    if spec.source == "scenes":
        tasks = {task for task, _ in scenes.SOURCES.values()} | set(scenes.GROUNDS)
        packages = sorted({package for task in tasks for package in PACKAGES[task]})
        return Watched("detection", name, None, installed(packages))
    root = location.root(location.TASKS)
    if spec.path is not None:
        if missing := [folder for folder in spec.folders if not (root / folder).is_dir()]:
            raise UserError(
                f"detection {name}: {root / missing[0]} not found; `path` begins at {location.TASKS}={root}"
            )
        return Watched("detection", name, root, manifest.scan(root, spec.folders))
    folders = [f"{voc.DEVKIT}/VOC{year}/{folder}" for year in voc.YEARS for folder in voc.FOLDERS]
    missing = [folder for folder in folders if not (root / folder).is_dir()]
    if missing:
        raise UserError(f"detection {name}: {root / missing[0]} not found; {voc.GET}")
    return Watched("detection", name, root, manifest.scan(root, folders))
