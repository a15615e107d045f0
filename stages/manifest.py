"""Stage `manifest@NAME`: the files that a task is made of, downloaded where that is allowed and needed."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.params import load
from sdr.sources.watched import write_manifest
from sdr.tasks.files import fetch, look
from sdr.tasks.task import TaskSpec


@program
def main() -> None:
    name = entry("tasks")
    key = f"tasks__{name}"
    spec = load(**{key: TaskSpec})[key]
    fetch(name, spec)
    print(write_manifest(look(name, spec)))


if __name__ == "__main__":
    main()
