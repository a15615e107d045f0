"""The searches for a sub-net against the exhaustive one: time, cost and regret.

    python -m benchmarks.routing --cluster DIR --common DIR [--tasks FOLDER] [--sizes 500 2000] [--output FILE]

Both directories hold the same super-net (as `artifacts`), calibrated on each sub-net's own cluster and on common images.
Tasks are the prepared ones in FOLDER, on all their training images. For the growth with the number of images, `--sizes`
draws that many from the corpus, labelled by domain; above `--most` only the cheap searches run. Regret is how much
the exhaustive kNN score (percent) of the chosen sub-net falls short of the best one's, under the same calibration.
Each search runs alone in a fresh process; its memory is what it needs beyond networks and images (Linux only).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.measure import machine, run_alone, start_clock

# name → (calibration, changes to the parameters of the search)
SEARCHES = {
    "exhaustive": ("common", {"method": "exhaustive"}),
    "tree": ("common", {"method": "tree"}),
    "halving": ("common", {"method": "halving"}),
    "halving, prior 1/4": ("common", {"method": "halving", "prior": 0.25}),
    "exhaustive, own": ("cluster", {"method": "exhaustive"}),
    "halving, own": ("cluster", {"method": "halving"}),
    "halving, prior 1/4, own": ("cluster", {"method": "halving", "prior": 0.25}),
}
REFERENCE = {"common": "tree", "cluster": "exhaustive, own"}  # whose scores are of all images
DEAR = ("exhaustive", "exhaustive, own")


def solve(root: str, source: str, name: str, rows: int, params: dict, batch: int, n_subnets: int | None) -> dict:
    """Run one search; `source` is a folder of prepared tasks, or "" for the corpus."""
    import torch

    from sdr.base.progress import Progress
    from sdr.base.ranks import pick_device
    from sdr.corpus.store import ImageStore
    from sdr.evaluate.knn import Knn
    from sdr.nets.embed import Embedding, embed
    from sdr.route.bundle import open_bundle
    from sdr.route.prior import Clusters
    from sdr.route.search import Labelled, Search, search
    from sdr.tasks.task import Task

    device = pick_device()
    bundle = open_bundle(root, device)
    clusters = bundle.clusters
    if n_subnets is not None:  # the first of them; no more is needed of a search among fewer
        bundle.trained.n_subnets = n_subnets
        clusters = Clusters(clusters.mean, clusters.centroids[:n_subnets])
    if source:
        task = Task.open(Path(source) / name)
        images, targets, classes, metric = (
            np.array(task.images("train")),
            task.targets("train"),
            len(task.classes),
            task.metric,
        )
    else:
        data = ImageStore.open(Path(root) / "data")
        chosen = np.sort(np.random.default_rng(0).permutation(np.arange(rows) % len(data))[:rows])
        domains = sorted(set(data.domains))
        targets = np.array([domains.index(data.domains[i]) for i in chosen])
        images, classes, metric = data.read(chosen), len(domains), "top1"
    show = Embedding(side=bundle.size, batch_size=batch)
    embed(bundle.baseline, images[:batch], show, device)  # warm up
    labelled = Labelled(name, images, targets, classes, metric)
    start_clock()
    found = search(
        bundle.trained,
        bundle.baseline,
        labelled,
        Search(**params),
        Knn(k=20, temperature=0.07),
        show,
        clusters,
        0,
        device,
        Progress(""),
    )
    if device.type == "cuda":
        torch.cuda.synchronize()
    return {
        "images": len(images),
        "subnet": found.winner.subnet,
        "scores": {c.subnet: c.score for c in found.candidates},
        "forwards": found.forwards,
        "macs": found.macs,
        "exhaustive_macs": found.exhaustive,
        "rounds": sorted({c.images for c in found.candidates}),
    }


def measure(
    args: argparse.Namespace, source: str, name: str, rows: int, names: list[str], n: int | None = None
) -> list[dict]:
    """Run some searches on one task; regret and ratios follow from the reference's scores."""
    found = {}
    for search in names:
        calibration, changes = SEARCHES[search]
        root = args.common if calibration == "common" else args.cluster
        params = {
            "method": "tree",
            "score": "knn",
            "prior": 1.0,
            "top_m": 1,
            "halving": json.loads(args.halving),
            "candidates": ["subnets"],
            "selection": dict(also=[], combine="rank", prior=0.0, rule="best", margin=1.0, folds=5),
        } | changes
        facts, result = run_alone(solve, str(root), source, name, rows, params, args.batch, n)
        found[search] = {"task": name, "search": search, **facts, **result}
        print(
            f"{name} ({result['images']:,}), {search}: {facts['seconds']:.1f} s, sub-net {result['subnet']}", flush=True
        )
    lines = []
    for search, line in found.items():
        reference = found.get(REFERENCE[SEARCHES[search][0]])
        dear = found.get("exhaustive" if SEARCHES[search][0] == "common" else "exhaustive, own")
        scores = line.pop("scores") if search not in REFERENCE.values() else line["scores"]
        if reference:
            known = reference["scores"]
            line["regret"] = max(known.values()) - known[line["subnet"]]
        if dear:
            line["times_faster"] = dear["seconds"] / line["seconds"]
        line["times_fewer_macs"] = line["exhaustive_macs"] / line["macs"]
        line["tried"] = len(scores)
        lines.append(line)
    for line in lines:
        line.pop("scores", None)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", type=Path, required=True, help="the super-net, calibrated on own clusters")
    parser.add_argument("--common", type=Path, required=True, help="the same, calibrated on common images")
    parser.add_argument("--tasks", type=Path, help="folder of prepared tasks, such as artifacts/tasks")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="images drawn from the corpus")
    parser.add_argument(
        "--subnets", type=int, nargs="*", default=[], help="sub-nets to search among, on the first size"
    )
    parser.add_argument("--most", type=int, default=2000, help="images up to which the exhaustive searches run")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--halving", default='{"per_class": 8, "least": 64, "growth": 2.0, "keep": 0.5}')
    parser.add_argument("--output", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    lines = []
    for folder in sorted(args.tasks.iterdir()) if args.tasks else []:
        lines += measure(args, str(args.tasks), folder.name, 0, list(SEARCHES))
    cheap = [name for name in SEARCHES if name not in DEAR and "own" not in name]
    for size in args.sizes:
        names = [name for name in SEARCHES if "own" not in name] if size <= args.most else cheap
        lines += measure(args, "", "corpus", size, names)
    for n in args.subnets:
        lines += [
            line | {"n_subnets": n} for line in measure(args, "", "corpus", args.sizes[0], ["tree", "halving"], n)
        ]
    result = {
        "halving": json.loads(args.halving),
        "batch": args.batch,
        "net": json.loads((args.common / "sdrnet/config.json").read_text()),
        "searches": lines,
        **machine(),
    }
    if args.output:
        args.output.write_text(json.dumps(result, indent=2) + "\n")
    columns = (
        "task",
        "images",
        "search",
        "seconds",
        "times_faster",
        "times_fewer_macs",
        "peak_mib",
        "subnet",
        "regret",
    )
    for line in lines:
        print(
            ", ".join(
                f"{name} {line[name]:.3g}" if isinstance(line.get(name), float) else f"{name} {line.get(name)}"
                for name in columns
            )
        )


if __name__ == "__main__":
    main()
