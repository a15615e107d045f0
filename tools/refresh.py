"""Take note of changed files of tasks: makes anew the manifests that their files no longer match.

python -m tools.refresh              looks at every task: names, sizes and times of change; nothing is read
python -m tools.refresh NAME …       looks at these
python -m tools.refresh --rehash NAME …   reads all files of these again, even if they look unchanged
"""

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from sdr.data import manifest
from sdr.data.task import TaskSpec, check_name
from sdr.data.task_files import present, private_copy
from sdr.errors import UserError, program
from sdr.params import load


@program
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.refresh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rehash", action="store_true", help="forget what is known of the files")
    args = parser.parse_args()
    tasks = load(tasks=dict[str, TaskSpec])["tasks"]
    for name in args.names or tasks:
        check_name(name)
        if name not in tasks:
            raise UserError(f"tasks.{name}: no such task in params.yaml; there are {', '.join(tasks)}")
    chosen = {name: tasks[name] for name in args.names or tasks}
    if args.rehash:
        for name in chosen:
            private_copy(name).unlink(missing_ok=True)
    stale = list(chosen) if args.rehash else outdated(chosen)
    if stale:
        targets = [f"manifest@{name}" for name in stale]
        command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", *targets]
        sys.exit(subprocess.run(command).returncode)


def outdated(tasks: dict[str, TaskSpec]) -> list[str]:
    """Return the tasks whose files are not as their manifests list them, and those without a manifest.

    Of files that are not on this machine nothing can be said: results made elsewhere stay as they are.
    """
    stale, unseen = [], defaultdict(list)
    for name, spec in tasks.items():
        path = Path(f"artifacts/manifests/{name}.csv")
        try:
            found = present(name, spec)
        except UserError as error:
            if path.exists():
                unseen[str(error)].append(name)
            continue
        paths = manifest.differing(manifest.read(path), found) if path.exists() else []
        if paths:
            print(f"{name}: {len(paths):,} files differ from {path}, such as {paths[0]}")
        if paths or not path.exists():
            stale.append(name)
    for error, names in unseen.items():
        print(f"{', '.join(names)}: not compared with the manifest: {error}")
    return stale


if __name__ == "__main__":
    main()
