"""How much of routing's kNN scores is the luck of the images at hand, and what searches on fewer images lose by it.

    python -m sdr.experiments.routing_noise --supernet DIR ... --features FOLDER ... [--tasks FOLDER] [--orders N] [--seed N] [--out FILE]

Each DIR is a sealed super-net as `sdr route` takes it, calibrated on common images; its FOLDER keeps the features of its
sub-nets on the tasks' training images, float16, made where missing: remove them when the super-net changes. Scores are
top-1; parameters are those of params.yaml. For each super-net and task:

- noise: the variance of the sub-nets' scores on all images, percent squared, and how much of it is those images' sampling;
- halves: the correlation of scores on two random halves of the images (neighbours from all), mean of SPLITS draws;
- searches: for N orders of the images, of the seeds from `--seed` on, how many times fewer multiply-adds than the exhaustive
  search, and the regret: points that the chosen sub-net's score on all images falls short of the best one's.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sdr.base.outputs import output_file, write_json
from sdr.base.params import load
from sdr.base.progress import Progress
from sdr.base.randomness import numpy_rng
from sdr.evaluate.knn import Knn, leave_one_out
from sdr.experiments.collect import facts
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.paths import path_of
from sdr.route.bundle import SEAL, open_bundle
from sdr.route.race import race
from sdr.route.sample import balanced_order
from sdr.route.score import Score
from sdr.route.search import Search
from sdr.route.segments import Segments
from sdr.route.tree import Embedder
from sdr.tasks.task import Task

FIRST, TIMES, SPLITS = 48, 15, 40  # images all sub-nets are scored on; times fewer multiply-adds; draws of two halves


class Replay:
    """Stands in for an `Embedder` that shares prefixes: features `M×N×D` come from memory, their cost is counted.

    `parts`: multiply-adds of the stem and the stages for one image.
    """

    def __init__(self, features: np.ndarray, parts: Sequence[int], groups: int):
        self.features, self.cost = features, {"macs": 0}
        self._parts, self._groups = [int(part) for part in parts], groups
        self.exhaustive = sum(self._parts) * features.shape[0] * features.shape[1]  # sub-nets one by one, on all images

    def __call__(self, numbers: Sequence[int], rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        self.cost["macs"] += self.macs(numbers) * len(rows)
        for number in sorted(numbers):
            yield number, self.features[number, rows]

    def macs(self, numbers: Sequence[int]) -> int:
        """Multiply-adds of one image through these sub-nets."""
        paths = [path_of(number, self._groups) for number in numbers]
        return sum(part * len({path[:depth] for path in paths}) for depth, part in enumerate(self._parts))


@dataclass(frozen=True)
class VoteShare(Score):
    """The mean share of the vote for the right class, in percent; of all `images` the score itself."""

    images: int

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        if len(x) == self.images:
            return super().__call__(x, y)
        votes = leave_one_out(x, y, self.n_classes, self.knn.k, self.knn.temperature)
        return 100 * float(votes[np.arange(len(y)), y].mean())


def noise(hits: np.ndarray) -> dict[str, float]:
    """Split the variance of the sub-nets' scores.

    What makes an image easy for all of them is no noise: the spread over the images of a sub-net's deviation from the mean
    sub-net gives the standard error. `hits`, `M×N`: whether a sub-net has an image right.
    """
    apart = hits - hits.mean(axis=0)  # M×N: from the mean sub-net, on the same image
    scores, n = apart.mean(axis=1, keepdims=True), hits.shape[1]
    variance = 1e4 * float((scores**2).mean())
    sampling = 1e4 * float(((apart - scores) ** 2).sum(axis=1).mean()) / (n * (n - 1))
    return {
        "variance": variance,
        "sampling": sampling,
        "share": sampling / variance,
        "error_at_64": (sampling * n / 64) ** 0.5,  # standard error on 64 images, each as noisy
        "spread": max(0.0, variance - sampling) ** 0.5,  # standard deviation of the sub-nets, noise taken off
    }


def halves(hits: np.ndarray, seed: int) -> float:
    """Correlation over the sub-nets of scores on two halves of the images."""
    draws = (numpy_rng(seed, "halves", split).permutation(hits.shape[1]) for split in range(SPLITS))
    pairs = ([hits[:, half].mean(axis=1) for half in np.array_split(rows, 2)] for rows in draws)
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))


def best(scores: dict[int, float]) -> list[int]:
    """Sub-nets, best first; of equal ones the lower number, as in `race`."""
    return sorted(scores, key=lambda i: (-scores[i], i))


def few_then_all(replay: Replay, order: np.ndarray, targets: np.ndarray, score: Score, full: np.ndarray) -> int:
    """Score all sub-nets on FIRST images, then on the rest as many of the best as the budget allows; return the best of them."""
    first, rest = order[:FIRST], order[FIRST:]
    ranked = best({i: score(x, targets[first]) for i, x in replay(range(len(full)), first)})
    left, m = replay.exhaustive / TIMES - replay.cost["macs"], 1
    while m < len(ranked) and replay.macs(ranked[: m + 1]) * len(rest) <= left:
        m += 1
    return max((i for i, _ in replay(ranked[:m], rest)), key=lambda i: full[i])


def measure(
    features: np.ndarray, parts: np.ndarray, groups: int, task: Task, route: Search, knn: Knn, orders: range
) -> dict:
    """All figures of one super-net on one task."""
    targets, classes = task.targets("train"), len(task.classes)
    votes = (leave_one_out(x, targets, classes, knn.k, knn.temperature) for x in features)
    hits = np.array([v.argmax(axis=1) == targets for v in votes], dtype=np.float64)  # M×N
    full, plain = 100 * hits.mean(axis=1), Score("knn", "top1", classes, knn)
    share, schedule = VoteShare("knn", "top1", classes, knn, len(targets)), route.halving
    searches = {
        "halving": (plain, schedule),
        "halving, early rounds by vote share": (share, schedule),
        "halving, keep 0.35": (plain, schedule.model_copy(update={"keep": 0.35})),
        "few then all": (plain, None),
        "few then all, by vote share": (share, None),
    }
    found = {name: {"times_fewer_macs": [], "regret": []} for name in searches}
    for seed in orders:
        order = balanced_order(targets, seed)
        for name, (score, halving) in searches.items():
            replay = Replay(features, parts, groups)
            if halving:
                rounds = race(range(len(full)), order, targets, replay, score, halving, seed, Progress(""))
            chosen = best(rounds[-1].scores)[0] if halving else few_then_all(replay, order, targets, score, full)
            found[name]["regret"].append(float(full.max() - full[chosen]))
            found[name]["times_fewer_macs"].append(replay.exhaustive / replay.cost["macs"])
    return {"images": len(targets), "noise": noise(hits), "halves": halves(hits, orders.start), "searches": found}


def saved(root: Path, folder: Path, task: Task, show: Embedding) -> tuple[np.ndarray, np.ndarray]:
    """Features `M×N×D` float16 and multiply-adds of the parts, from a file, which is made if it is not there."""
    if not (file := folder / f"{task.name}_{show.side}.npz").exists():
        device, images = torch.device("cpu"), np.array(task.images("train"))
        trained = open_bundle(root, device).trained
        found = Embedder(trained, images, show, device, share=True)(range(trained.n_subnets), np.arange(len(images)))
        x = np.stack([features.astype(np.float16) for _, features in found])
        parts = Segments(trained).macs(evaluation_view(images[:1], show.side, device))
        with output_file(file) as partial, partial.open("wb") as stream:
            np.savez(stream, f=x, parts=parts)
    with np.load(file, allow_pickle=False) as found:
        return found["f"], found["parts"]


def means(tasks: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Regret of each search, mean over tasks and orders, its standard error over the orders; and the range of the costs."""
    found = {}
    for name in next(iter(tasks.values()))["searches"]:
        each = [task["searches"][name] for task in tasks.values()]
        regret = np.mean([one["regret"] for one in each], axis=0)  # tasks×orders → orders
        times = [float(np.mean(one["times_fewer_macs"])) for one in each]
        error = float(regret.std(ddof=1) / len(regret) ** 0.5) if len(regret) > 1 else None
        found[name] = {"regret": float(regret.mean()), "error": error, "times_fewer_macs": [min(times), max(times)]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--supernet", type=Path, nargs="+", required=True, help="sealed super-nets, such as artifacts")
    parser.add_argument(
        "--features", type=Path, nargs="+", required=True, help="folder of its features for each of them"
    )
    parser.add_argument("--tasks", type=Path, default=Path("artifacts/tasks"), help="folder of prepared tasks")
    parser.add_argument("--orders", type=int, default=10, help="random orders of the images, N")
    parser.add_argument("--seed", type=int, default=0, help="of the first order, and of the halves")
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    params, orders, results = (
        load(route=Search, knn=Knn, embed=Embedding),
        range(args.seed, args.seed + args.orders),
        [],
    )
    for root, folder in zip(args.supernet, args.features, strict=True):
        net, tasks = json.loads((root / "sdrnet/config.json").read_text()), {}
        for place in sorted(args.tasks.iterdir()):
            task = Task.open(place)
            features, parts = saved(root, folder, task, params["embed"])
            found = measure(features, parts, net["backbone"]["groups"], task, params["route"], params["knn"], orders)
            tasks[place.name] = found
            print(root.name, place.name, found["images"], found["noise"], found["halves"], flush=True)
            print(
                {name: round(float(np.mean(one["regret"])), 2) for name, one in found["searches"].items()}, flush=True
            )
        sealed = json.loads((root / SEAL).read_text())["files"]["calibration/bn.safetensors"]
        results.append({"net": net, "statistics": sealed, "tasks": tasks, "mean": means(tasks)})
        print(root.name, json.dumps(results[-1]["mean"], indent=2), flush=True)
    if args.out:
        write_json(
            args.out,
            {"supernets": results, **{k: v.model_dump() for k, v in params.items()}, **facts("routing_noise", "cpu")},
        )


if __name__ == "__main__":
    main()
