"""Choose the sub-net for one task, and export it → artifacts/route/TASK."""

import sys

from sdr.base.checkpoint import fingerprint
from sdr.base.errors import program
from sdr.base.outputs import digest, output_dir
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device
from sdr.evaluate.knn import Knn
from sdr.export.write import write_backbone
from sdr.nets.embed import Embedding
from sdr.route.bundle import open_bundle
from sdr.route.progress import Progress
from sdr.route.result import in_words, write_result
from sdr.route.search import Labelled, Search, search
from sdr.tasks.task import Task


@program
def main(name: str) -> None:
    in_processes()
    params = load(seed=int, route=Search, knn=Knn, embed=Embedding)
    device = pick_device(several=True)
    bundle = open_bundle("artifacts", device)
    opened = Task.open(f"artifacts/tasks/{name}")
    task = Labelled(name, opened.images("train"), opened.targets("train"), len(opened.classes), opened.metric)
    seen = digest(f"artifacts/tasks/{name}"), str(device)  # the content of images and labels, not their names
    progress = Progress(fingerprint(stage="route", params=params, seal=bundle.seal["files"], seen=seen))
    ranking = search(
        bundle.trained,
        bundle.baseline,
        task,
        params["route"],
        params["knn"],
        params["embed"],
        bundle.clusters,
        params["seed"],
        device,
        progress,
    )
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
