"""How well routing's scores foresee linear evaluation: every sub-net is scored and evaluated on every task.

    python -m benchmarks.scores [--root artifacts] [--output FILE]

As stage `check_scores` does for the tasks of `score_check`, here for all prepared tasks, with the means over them. Parameters
are those of params.yaml.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.measure import machine
from sdr.base.params import load
from sdr.base.ranks import pick_device
from sdr.evaluate.evaluate_task import Protocol
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.route.bundle import open_bundle
from sdr.route.score_check import SCORES, check_scores
from sdr.tasks.task import Task


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
        tasks[folder.name] = check_scores(bundle, Task.open(folder), protocol, device)
        print(
            folder.name,
            json.dumps(tasks[folder.name]["scores"]),
            f"chance {tasks[folder.name]['chance']:.2f}",
            flush=True,
        )
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


if __name__ == "__main__":
    main()
