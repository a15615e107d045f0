"""Take note of changed files of tasks and detection sets: makes anew the manifests that their files no longer match.

python -m tools.refresh              looks at all: names, sizes and times of change; nothing is read
python -m tools.refresh NAME …       looks at these
python -m tools.refresh --rehash NAME …   reads all files of these again, even if they look unchanged
"""

import argparse
import subprocess
import sys
from collections import defaultdict

from sdr.base.errors import UserError, program
from sdr.base.params import load
from sdr.detect import files as detection_files
from sdr.detect.sets import DetectionSpec
from sdr.sources import manifest
from sdr.sources.watched import Section, manifest_path, private_copy
from sdr.tasks import files as task_files
from sdr.tasks.task import TaskSpec, check_name

LOOK = {"tasks": task_files.look, "detection": detection_files.look}
STAGE = {"tasks": "manifest", "detection": "manifest_detection"}
Entry = tuple[Section, str]  # section and name


@program
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.refresh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rehash", action="store_true", help="forget what is known of the files")
    args = parser.parse_args()
    sections = load(tasks=dict[str, TaskSpec], detection=dict[str, DetectionSpec])
    chosen = choose(sections, args.names)
    if args.rehash:
        for entry in chosen:
            private_copy(*entry).unlink(missing_ok=True)
    stale = list(chosen) if args.rehash else outdated(chosen)
    if stale:
        targets = [f"{STAGE[section]}@{name}" for section, name in stale]
        command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", *targets]
        sys.exit(subprocess.run(command).returncode)


def choose(sections: dict[Section, dict], names: list[str]) -> dict[Entry, TaskSpec | DetectionSpec]:
    """Return the entries of these names, in either section; all if there are no names.

    Raises:
        UserError: a name is malformed, or no entry has it.
    """
    for name in names:
        if not any(name in entries for entries in sections.values()):
            known = ", ".join(name for entries in sections.values() for name in entries)
            raise UserError(f"{name}: neither in `tasks` nor in `detection` of params.yaml; there are {known}")
    chosen = {
        (section, name): spec
        for section, entries in sections.items()
        for name, spec in entries.items()
        if not names or name in names
    }
    for section, name in chosen:
        check_name(section, name)
    return chosen


def outdated(entries: dict[Entry, TaskSpec | DetectionSpec]) -> list[Entry]:
    """Return the entries whose files are not as their manifests list them, and those without a manifest.

    Of files that are not on this machine nothing can be said: results made elsewhere stay as they are.
    """
    stale, unseen = [], defaultdict(list)
    for (section, name), spec in entries.items():
        path = manifest_path(section, name)
        try:
            found = LOOK[section](name, spec).files
        except UserError as error:
            if path.exists():
                unseen[str(error)].append(name)
            continue
        paths = manifest.differing(manifest.read(path), found) if path.exists() else []
        if paths:
            print(f"{name}: {len(paths):,} files differ from {path}, such as {paths[0]}")
        if paths or not path.exists():
            stale.append((section, name))
    for error, names in unseen.items():
        print(f"{', '.join(names)}: not compared with the manifest: {error}")
    return stale


if __name__ == "__main__":
    main()
