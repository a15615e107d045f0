"""Stage `manifest@NAME`: the files that a task is made of, downloaded where that is allowed and needed."""

import sys

from sdr.base.errors import UserError, program
from sdr.base.params import load
from sdr.sources.watched import write_manifest
from sdr.tasks.files import fetch, look
from sdr.tasks.task import TaskSpec, check_name


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
