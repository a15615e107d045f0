"""Linear and kNN evaluation on one task's test split → artifacts/eval/{baseline,sdr}/TASK.json."""

import json
import sys

import numpy as np
from torch import nn

from sdr.data.task import Task
from sdr.errors import program
from sdr.nets.embed import Embedding, embed
from sdr.outputs import write_json
from sdr.params import load
from sdr.route.knn import Knn, knn_scores
from sdr.route.trained import TrainedSdr
from sdr.ssl.store import load_network
from sdr.train.device import pick_device
from sdr.transfer.linear import Linear, evaluate
from sdr.transfer.metrics import score


@program
def main(name: str, which: str) -> None:
    params = load(seed=int, knn=Knn, linear=Linear, embed=Embedding)
    device = pick_device()
    task = Task.open(f"artifacts/tasks/{name}")

    def measure(backbone: nn.Module) -> dict:
        splits = ["train", *(["val"] if task.has_val else []), "test"]
        x = {s: embed(backbone, task.images(s), params["embed"], device) for s in splits}
        y = {s: task.targets(s) for s in splits}
        val = (x["val"], y["val"]) if task.has_val else None
        result = evaluate(
            x["train"], y["train"], val, x["test"], y["test"], task.classes, task.metric, params["linear"], params["seed"],
            device,
        )  # fmt: skip
        train = [s for s in splits if s != "test"]
        known = np.concatenate([x[s] for s in train]), np.concatenate([y[s] for s in train])
        knn = params["knn"]
        votes = knn_scores(*known, x["test"], len(task.classes), knn.k, knn.temperature)
        return result | {"knn": score(task.metric, votes, y["test"])}

    networks = {}
    if which == "baseline":
        networks["baseline"] = measure(load_network("artifacts/baseline", device)[0].backbone)
    else:
        trained = TrainedSdr("artifacts/sdrnet", "artifacts/calibration", device)
        with open(f"artifacts/route/{name}/route.json") as file:
            winner = json.load(file)["subnet"]
        networks["w0"] = measure(trained.supernet())
        networks["sdr"] = measure(trained.subnet(winner))
    write_json(f"artifacts/eval/{which}/{name}.json", {"task": name, "metric": task.metric, "networks": networks})
    scores = (f"{n} {e['linear']:.2f} % (kNN {e['knn']:.2f} %)" for n, e in networks.items())
    print(f"linear_eval {name}: " + ", ".join(scores))


if __name__ == "__main__":
    main(*sys.argv[1:3])
