"""Take note of changed files of the corpus, of tasks and detection sets: makes anew the manifests that they no longer match.

python -m tools.refresh              looks at all: names, sizes and times of change; what looks changed is read; and at the folder
                                     that `pretrain.init` may name
python -m tools.refresh NAME …       looks at these; the corpus is called `corpus`
python -m tools.refresh --rehash NAME …   reads all files of these again, even if they look unchanged
"""

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from sdr.base.errors import UserError, program
from sdr.base.names import check_name
from sdr.base.params import load
from sdr.corpus import location
from sdr.detect import files as detection_files
from sdr.detect.sets import DetectionSpec
from sdr.nets.start import RANDOM, WHERE, files_of, folder_of, taken
from sdr.sources import corpus_files, manifest
from sdr.sources.watched import CORPUS, Section, Watched, indices, manifest_path, stage_of, take
from sdr.tasks import files as task_files
from sdr.tasks.task import TaskSpec

Entry = tuple[Section, str]  # section and name
Look = Callable[[], Watched]


@program
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.refresh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rehash", action="store_true", help="forget what is known of the files")
    args = parser.parse_args()
    chosen = choose(everything(), args.names)
    if args.rehash:
        for index in (index for entry in chosen for index in indices(*entry)):
            index.unlink()
    stale = list(chosen) if args.rehash else outdated(chosen)
    targets = [stage_of(*entry) for entry in stale] + ["start"] * (not args.names and start_differs())
    if targets:
        command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", *targets]
        sys.exit(subprocess.run(command).returncode)


def everything() -> dict[Entry, Look]:
    """Everything that has a manifest, and how to look at its files.

    Raises:
        UserError: params.yaml is not as it should be.
    """
    params = load(data__source=str, tasks=dict[str, TaskSpec], detection=dict[str, DetectionSpec])
    found: dict[Entry, Look] = {("data", CORPUS): partial(corpus_files.look, params["data__source"])}
    for section, look in (("tasks", task_files.look), ("detection", detection_files.look)):
        for name, spec in params[section].items():
            check_name(section, name)
            found[section, name] = partial(look, name, spec)
    return found


def start_differs() -> bool:
    """Whether `pretrain.init` names a folder that holds, or an entry that says, another network than was taken; nothing is said of one that is not
    on this machine, nor of another parameter than it was taken by, which DVC sees.

    Raises:
        UserError: params.yaml is not as it should be.
    """
    params = load(pretrain__init=str, compare=dict)
    init, facts = params["pretrain__init"], taken()
    if init == RANDOM or facts.get("init") != init:
        return False
    try:
        folder = folder_of(init, params["compare"])
    except UserError as error:
        print(f"start: not compared: {error}")
        return False
    entry = params["compare"].get(init)
    differs = entry != facts.get("entry") or (folder is not None and files_of(folder) != facts["files"])
    if differs:
        print(f"start: {init} is another network than {WHERE} was made of")
    return differs


def choose(entries: dict[Entry, Look], names: list[str]) -> dict[Entry, Look]:
    """Return the entries of these names, in whichever section; all if there are no names.

    Raises:
        UserError: no entry has a name.
    """
    known = [name for _, name in entries]
    for name in names:
        if name not in known:
            raise UserError(f"{name}: neither `{CORPUS}` nor in `tasks` or `detection`; there are {', '.join(known)}")
    return {entry: look for entry, look in entries.items() if not names or entry[1] in names}


def outdated(entries: dict[Entry, Look]) -> list[Entry]:
    """Return the entries whose files are not as their manifests list them, and those without a manifest.

    Of files that are not on this machine nothing can be said: results made elsewhere stay as they are.

    Raises:
        UserError: $SDR_DATA, or `local.yaml`, names a folder where the corpus no longer is.
    """
    stale, unseen = [], defaultdict(list)
    for (section, name), look in entries.items():
        path = manifest_path(section, name)
        try:
            watched = look()
        except UserError as error:
            if section == "data" and location.is_said(location.CORPUS):
                where = f"unset {location.CORPUS} (in {location.LOCAL}: take out its line)"
                raise UserError(f"{error}; or {where} to leave results as they are") from None
            if path.exists():
                unseen[str(error)].append(name)
            continue
        paths = manifest.differing(manifest.read(path), take(watched)) if path.exists() else []
        if paths:
            print(f"{name}: {len(paths):,} files differ from {path}, such as {paths[0]}")
        if paths or not path.exists():
            stale.append((section, name))
    for error, names in unseen.items():
        print(f"{', '.join(names)}: not compared with the manifest: {error}")
    return stale


if __name__ == "__main__":
    main()
