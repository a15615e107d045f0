"""Stage `manifest@NAME`: the files that a task is made of, downloaded where that is allowed and needed."""

import sys

from sdr.data.task import TaskSpec, check_name
from sdr.data.task_files import fetch, look
from sdr.data.watched import write_manifest
from sdr.errors import UserError, program
from sdr.params import load


@program
def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m stages.manifest NAME, one of `tasks` in params.yaml")
    name = sys.argv[1]
    check_name("tasks", name)
    key = f"tasks__{name}"
    spec = load(**{key: TaskSpec})[key]
    fetch(name, spec)
    print(write_manifest(look(name, spec)))


if __name__ == "__main__":
    main()
