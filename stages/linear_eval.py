"""Linear and kNN evaluation on one task's test split → artifacts/eval/{baseline,sdr}/TASK.json."""

import json
import sys
from pathlib import Path

from sdr.base.errors import program
from sdr.base.outputs import sha256, write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device
from sdr.evaluate.ensemble import Ensemble
from sdr.evaluate.evaluate_task import Protocol, evaluate_task, evaluate_votes
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.route.trained import TrainedSdr
from sdr.ssl.folder import load_network
from sdr.tasks.task import Task


@program
def main(name: str, which: str) -> None:
    in_processes()
    protocol = Protocol(**load(seed=int, knn=Knn, linear=Linear, embed=Embedding))
    device = pick_device(several=True)
    task = Task.open(f"artifacts/tasks/{name}")
    networks, files = {}, ["baseline/model.safetensors"]
    if which == "baseline":
        backbone = load_network("artifacts/baseline", device)[0].backbone
        networks["baseline"] = evaluate_task("baseline", backbone, task, protocol, device)
    else:
        files = ["sdrnet/model.safetensors", "calibration/bn.safetensors"]
        trained = TrainedSdr("artifacts/sdrnet", "artifacts/calibration", device)
        with open(f"artifacts/route/{name}/route.json") as file:
            best = json.load(file)["best"]
        networks["w0"] = evaluate_task("w0", trained.supernet(), task, protocol, device)
        networks["sdr"] = evaluate_task("sdr", trained.subnet(best[0]), task, protocol, device)
        if len(best) > 1:
            ensemble = Ensemble(map(trained.subnet, best))
            networks["ensemble"] = evaluate_task("ensemble", ensemble, task, protocol, device) | {"members": len(best)}
            votes = evaluate_votes(map(trained.subnet, best), task, protocol, device)
            networks["votes"] = votes | {"members": len(best)}
    weights = {file: sha256(Path("artifacts", file)) for file in files}  # what was evaluated, for the model card
    result = {"task": name, "metric": task.metric, "weights": weights, "networks": networks}
    write_json(f"artifacts/eval/{which}/{name}.json", result)
    scores = (f"{n} {e['linear']:.2f} % (kNN {e['knn']:.2f} %)" for n, e in networks.items())
    print(f"linear_eval {name}: " + ", ".join(scores))


if __name__ == "__main__":
    main(*sys.argv[1:3])
