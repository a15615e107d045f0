"""Choose the sub-net for one task, and export it → artifacts/route/TASK."""

import sys

import numpy as np

from sdr.data.task import Task
from sdr.errors import program
from sdr.nets.embed import Embedding, embed
from sdr.nets.export import export
from sdr.nets.paths import path_of
from sdr.outputs import output_dir, write_csv, write_json
from sdr.params import load
from sdr.route.knn import Knn
from sdr.route.search import exhaustive
from sdr.route.trained import TrainedSdr
from sdr.ssl.store import load_network
from sdr.train.device import pick_device


@program
def main(name: str) -> None:
    params = load(knn=Knn, embed=Embedding)
    knn, show, device = params["knn"], params["embed"], pick_device()
    task = Task.open(f"artifacts/tasks/{name}")
    trained = TrainedSdr("artifacts/sdrnet", "artifacts/calibration", device)
    baseline = load_network("artifacts/baseline", device)[0].backbone
    images = task.images("train")
    ranking = exhaustive(trained, baseline, task, knn, lambda backbone: embed(backbone, images, show, device))
    sizes = np.bincount(np.load("artifacts/clusters/assignment.npy"), minlength=trained.n_subnets)
    paths = ["-".join(map(str, path_of(i, trained.spec.groups))) for i in range(trained.n_subnets)]
    winner = int(ranking.order[0])
    with output_dir(f"artifacts/route/{name}") as out:
        rows = (
            {
                "rank": rank,
                "subnet": int(i),
                "path": paths[i],
                "cluster_size": int(sizes[i]),
                "knn": round(ranking.subnets[i], 4),
                "gain": round(ranking.subnets[i] - ranking.baseline, 4),
            }
            for rank, i in enumerate(ranking.order, start=1)
        )
        write_csv(out / "ranking.csv", rows)
        choice = {"task": name, "subnet": winner, "path": paths[winner], "knn": round(ranking.subnets[winner], 4)}
        others = {"baseline": round(ranking.baseline, 4), "w0": round(ranking.supernet, 4)}
        write_json(out / "route.json", choice | others | knn.model_dump())
        (out / "backbone").mkdir()
        export(out / "backbone", trained.subnet(winner), trained.spec, trained.widths, show.size)
    print(f"route {name}: sub-net {winner} ({paths[winner]}), kNN {ranking.subnets[winner]:.2f} %, "
          f"baseline {ranking.baseline:.2f} %")


if __name__ == "__main__":
    main(sys.argv[1])
