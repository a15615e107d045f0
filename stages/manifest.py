"""Stage `manifest@NAME`: the files that a task is made of, downloaded where that is allowed and needed."""

import sys
from pathlib import Path

from sdr.data import manifest
from sdr.data.task import TaskSpec, check_name
from sdr.data.task_files import take_manifest
from sdr.errors import UserError, program
from sdr.params import load


@program
def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m stages.manifest NAME, one of `tasks` in params.yaml")
    name = sys.argv[1]
    check_name(name)
    key = f"tasks__{name}"
    files = take_manifest(name, load(**{key: TaskSpec})[key])
    manifest.write(Path(f"artifacts/manifests/{name}.csv"), files)
    print(
        f"manifest {name}: {len(files):,} files, {sum(file.bytes for file in files.values()) / 1e6:,.1f} MB"
    )


if __name__ == "__main__":
    main()
