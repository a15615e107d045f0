"""Stage `prepare_task@NAME`: one labelled task."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.sources.watched import listed_files
from sdr.tasks.prepare_task import prepare_task
from sdr.tasks.task import TaskSpec


@program
def main() -> None:
    name = entry("tasks")
    key = f"tasks__{name}"
    params = load(**{key: TaskSpec, "embed__side": int, "data__max_bad_fraction": float})
    files = listed_files("tasks", name)
    size, bad = params["embed__side"], params["data__max_bad_fraction"]
    with output_dir(f"artifacts/tasks/{name}") as target:
        meta = prepare_task(name, params[key], size, bad, files, target)
    raw = "" if meta["raw_knn"] is None else f", raw pixels {meta['raw_knn']} %"
    print(
        f"{name}: {meta['n_train']:,} train, {meta['n_val']:,} val, {meta['n_test']:,} test images, "
        f"{len(meta['classes'])} classes, chance {meta['chance']} %{raw}"
    )
    for warning in meta["warnings"]:
        print(f"warning: {name}: {warning}")


if __name__ == "__main__":
    main()
