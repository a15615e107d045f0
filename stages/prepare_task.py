"""Stage `prepare_task@NAME`: one labelled task."""

import sys

from sdr.data.prepare_task import prepare_task
from sdr.data.task import TaskSpec
from sdr.errors import UserError, program
from sdr.outputs import output_dir
from sdr.params import load


@program
def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m stages.prepare_task NAME, one of `tasks` in params.yaml")
    name = sys.argv[1]
    key = f"tasks__{name}"
    params = load(**{key: TaskSpec, "data__size": int, "data__max_bad_fraction": float})
    with output_dir(f"artifacts/tasks/{name}") as target:
        meta = prepare_task(name, params[key], params["data__size"], params["data__max_bad_fraction"], target)
    print(
        f"{name}: {meta['n_train']:,} train, {meta['n_val']:,} val, {meta['n_test']:,} test images, "
        f"{len(meta['classes'])} classes, chance {meta['chance']} %, raw pixels {meta['raw_knn']} %"
    )
    for pair, count in meta["overlap"].items():
        if count:
            print(f"warning: {name}: {count:,} images are in both splits of {pair}")


if __name__ == "__main__":
    main()
