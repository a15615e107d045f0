"""How much of routing's gain needs no sub-nets: one network, and batch-norm statistics of each cluster to choose from.

    python -m sdr.experiments.statistics_only table4 "16 sub-nets" [--out FILE]

Of each seed's experiment: the baseline, and W_0, each with the statistics of all images (`plain`), and with those of the cluster whose
statistics route best, by the same score on the same training images as sub-nets are routed by (`cluster`); of the baseline also
with those of the best of as many random subsets of the clusters' sizes (`random`), which says what choosing alone does. Test scores, means over the tasks
of params.yaml, whose prepared images are those of the working copy, as the corpus is. `spread` is the standard deviation of the
score at routing over the k statistics; `own` the mean score of clusters mostly of the task's kind of images minus that of the others.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from dvc.api import DVCFileSystem
from torch import nn
from tqdm import tqdm

from sdr.base.errors import program
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.corpus.store import ImageStore
from sdr.evaluate.evaluate_task import Protocol, evaluate_task
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.experiments.collect import facts
from sdr.experiments.specialisation import DOMAINS, experiments_of, revision
from sdr.nets.calibrate import Calibration, calibrate, sample, set_statistics, statistics
from sdr.nets.embed import Embedding, evaluation_view, features
from sdr.route.score import Score
from sdr.route.trained import TrainedSdr
from sdr.ssl.folder import load_network
from sdr.tasks.task import Task
from sdr.train.schedule import subsets

CPU = torch.device("cpu")


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("row")
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    rows = [one for seed, name in experiments_of(args.set, args.row).items() for one in of_seed(seed, revision(name))]
    table = pd.DataFrame(rows)
    seeds = table.drop(columns="task").groupby(["network", "statistics", "seed"], sort=False).mean()
    print(seeds.groupby(["network", "statistics"], sort=False).agg(["mean", "std"]).round(2).to_string())
    if args.out:
        write_json(
            args.out, {"rows": json.loads(table.round(4).to_json(orient="records")), **facts("statistics_only", "cpu")}
        )


def of_seed(seed: int, commit: str) -> Iterator[dict[str, object]]:
    """A row a network, kind of statistics and task."""
    params = load(embed=Embedding, knn=Knn, linear=Linear, calibrate=Calibration)
    protocol = Protocol(params["embed"], params["knn"], params["linear"], seed)
    with TemporaryDirectory() as folder:
        for name in ("baseline", "sdrnet", "clusters"):
            DVCFileSystem(rev=commit).get(f"artifacts/{name}", f"{folder}/{name}", recursive=True)
        data, assignment = ImageStore.open("artifacts/data"), np.load(f"{folder}/clusters/assignment.npy")
        domain = pd.read_csv(f"{folder}/clusters/clusters.csv").set_index("cluster")["domain"].to_numpy()
        networks = {
            "baseline": load_network(f"{folder}/baseline", CPU)[0].backbone,
            "W_0": TrainedSdr(f"{folder}/sdrnet", None, CPU).supernet(),
        }
    everything, k = [np.arange(len(data))], len(domain)
    sources = {
        "plain": everything,
        "cluster": subsets(assignment, k, "cluster", seed),
        "random": subsets(assignment, k, "random", seed),
    }

    def measured(backbone: nn.Module, subset: np.ndarray) -> torch.Tensor:
        images = data.read(sample(subset, params["calibrate"].images, seed))
        calibrate(backbone, evaluation_view(images, params["embed"].side, CPU))
        return statistics(backbone).clone()

    for network, backbone in networks.items():
        for kind, images in sources.items():
            if (network, kind) == ("W_0", "random"):
                continue
            found = [measured(backbone, subset) for subset in images]
            for task_name in tqdm(DOMAINS, f"seed {seed}, {network}, {kind}"):
                task = Task.open(f"artifacts/tasks/{task_name}")
                score, scores = Score("knn", task.metric, len(task.classes), params["knn"]), []
                for vector in found:
                    set_statistics(backbone, vector)
                    x = features(backbone.eval(), task.images("train"), params["embed"], CPU)
                    scores.append(score(x, task.targets("train")))
                set_statistics(backbone, found[int(np.argmax(scores))])
                tested, own = evaluate_task(network, backbone, task, protocol, CPU), domain == DOMAINS[task_name]
                scores = np.array(scores)
                yield {
                    "seed": seed,
                    "network": network,
                    "statistics": kind,
                    "task": task_name,
                    "linear": tested["linear"],
                    "knn": tested["knn"],
                    "at routing": scores.max(),
                    "spread": scores.std(ddof=1) if len(scores) > 1 else np.nan,
                    "own": scores[own].mean() - scores[~own].mean() if kind == "cluster" and own.any() else np.nan,
                }


if __name__ == "__main__":
    main()
