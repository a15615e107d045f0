"""Stage `prepare_task@NAME`: one labelled task."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.corpus.records import Records
from sdr.corpus.store import FILE
from sdr.corpus.thumbnail import read_thumbnails
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
        corpus = None if params[key].source == "builtin" else corpus_looks(Path("artifacts/data"))
        meta = prepare_task(name, params[key], size, bad, files, target, corpus)
    raw = "" if meta["raw_knn"] is None else f", raw pixels {meta['raw_knn']} %"
    print(
        f"{name}: {meta['n_train']:,} train, {meta['n_val']:,} val, {meta['n_test']:,} test images, "
        f"{len(meta['classes'])} classes, chance {meta['chance']} %{raw}"
    )
    for warning in meta["warnings"]:
        print(f"warning: {name}: {warning}")


def corpus_looks(folder: Path) -> tuple[Sequence[str], np.ndarray] | None:
    """Origins and thumbnails of the corpus; None where there is none, as when a task is prepared by hand."""
    if not (folder / FILE).exists():
        return None
    return list(Records(folder / FILE).column("origin")), read_thumbnails(folder)


if __name__ == "__main__":
    main()
