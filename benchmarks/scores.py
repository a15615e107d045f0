"""How well routing's scores foresee linear evaluation: every sub-net is scored and evaluated on every task.

    python -m benchmarks.scores [--root artifacts] [--output FILE]

For each task and score: weighted Kendall rank correlation (Vigna 2015: agreement about the best counts most) between the
score on the training split and the linear score on the test split, over all sub-nets; and the regret, how many points
of linear score the sub-net of the highest score falls short of the best sub-net. Chance is the mean regret of a sub-net
drawn at random. Parameters are those of params.yaml. The test split is used to judge the scores, never to route.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import weightedtau
from tqdm import tqdm

from benchmarks.measure import machine
from sdr.data.task import Task
from sdr.nets.embed import Embedding, embed
from sdr.params import load
from sdr.route.bundle import open_bundle
from sdr.route.knn import Knn
from sdr.route.score import Score
from sdr.train.device import pick_device
from sdr.transfer.evaluate_task import Protocol, evaluate_task
from sdr.transfer.linear import Linear

SCORES = ("knn", "logme", "hscore")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("artifacts"), help="the finished run")
    parser.add_argument("--output", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    protocol = Protocol(**load(seed=int, knn=Knn, linear=Linear, embed=Embedding))
    device = pick_device()
    bundle = open_bundle(args.root, device)
    tasks = {}
    for folder in sorted((args.root / "tasks").iterdir()):
        task = Task.open(folder)
        targets, images = task.targets("train"), task.images("train")
        scores = {name: Score(name, task.metric, len(task.classes), protocol.knn) for name in SCORES}
        found: dict[str, list[float]] = {name: [] for name in (*SCORES, "linear", "test_knn")}
        for i in tqdm(range(bundle.trained.n_subnets), task.name, disable=None):
            features = embed(bundle.trained.subnet(i), images, protocol.embed, device)
            for name, score in scores.items():
                found[name].append(score(features, targets))
            result = evaluate_task(str(i), bundle.trained.subnet(i), task, protocol, device)
            found["linear"].append(result["linear"])
            found["test_knn"].append(result["knn"])
        tasks[task.name] = judge(found) | {"subnets": found}
        print(task.name, json.dumps(tasks[task.name]["scores"]), f"chance {tasks[task.name]['chance']:.2f}", flush=True)
    mean = {
        name: {key: float(np.mean([t["scores"][name][key] for t in tasks.values()])) for key in ("tau", "regret")}
        for name in SCORES
    }
    mean["chance"] = {"regret": float(np.mean([t["chance"] for t in tasks.values()]))}
    print("mean", json.dumps(mean))
    if args.output:
        sealed = bundle.seal["files"]["calibration/bn.safetensors"]
        result = {"tasks": tasks, "mean": mean, "seed": protocol.seed, "statistics": sealed, **machine(str(device))}
        args.output.write_text(json.dumps(result, indent=2) + "\n")


def judge(found: dict[str, list[float]]) -> dict:
    """Rank correlation and regret of each score against the linear scores, and the regret of a random choice."""
    linear = np.array(found["linear"])
    scores = {
        name: {
            "tau": float(weightedtau(found[name], linear).statistic),
            "regret": float(linear.max() - linear[int(np.argmax(found[name]))]),
        }
        for name in SCORES
    }
    return {"scores": scores, "chance": float(linear.max() - linear.mean())}


if __name__ == "__main__":
    main()
