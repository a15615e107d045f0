"""Choose the sub-net for one task, and export it → artifacts/route/TASK."""

import sys

from sdr.data.task import Task
from sdr.errors import program
from sdr.export.write import write_backbone
from sdr.nets.embed import Embedding
from sdr.outputs import output_dir
from sdr.params import load
from sdr.route.bundle import open_bundle
from sdr.route.knn import Knn
from sdr.route.progress import Progress
from sdr.route.result import in_words, write_result
from sdr.route.search import Labelled, Search, search
from sdr.train.checkpoint import fingerprint
from sdr.train.device import pick_device
from sdr.train.launch import in_processes


@program
def main(name: str) -> None:
    in_processes()
    params = load(seed=int, route=Search, knn=Knn, embed=Embedding)
    device = pick_device(several=True)
    bundle = open_bundle("artifacts", device)
    opened = Task.open(f"artifacts/tasks/{name}")
    task = Labelled(name, opened.images("train"), opened.targets("train"), len(opened.classes), opened.metric)
    labels = task.targets.tolist(), opened.origins["train"], opened.meta
    progress = Progress(fingerprint(stage="route", params=params, seal=bundle.seal["files"], labels=labels))
    ranking = search(
        bundle.trained, bundle.baseline, task, params["route"], params["knn"], params["embed"], bundle.clusters,
        params["seed"], device, progress,
    )  # fmt: skip
    with output_dir(f"artifacts/route/{name}") as out:
        route = write_result(out, bundle, task, ranking, params["route"], params["knn"])
        (out / "backbone").mkdir()
        words = in_words(route, task.metric)
        title = f"sub-net {route['subnet']}, chosen for {name}"
        command = f"dvc repro route@{name}"
        write_backbone(out / "backbone", bundle, route["subnet"], title, (), name, words, command)
    progress.remove()
    print(f"route {name}: sub-net {route['subnet']} ({route['path']}); {words}")


if __name__ == "__main__":
    main(sys.argv[1])
