"""A folder of artifacts in all the formats that the report reads, with small made-up numbers."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdr.base.run_log import StageRun, append
from sdr.report.cost import Cost, Routing

DOMAINS = ["photographs", "sprites", "digits", "faces"]
TASKS = ["kinds", "letters", "sprite-sets", "materials"]
VERDICTS = ["no evidence: take the baseline", "take it", "try the super-net"]
BACKBONE = {"block": "basic", "layers": [1] * 4, "stem_type": "deep", "stem_width": 6}
COST = Cost(
    n_subnets=16,
    routing=[
        Routing(1, 8_000_000, 8_000_000),
        Routing(4, 32_000_000, 12_000_000),
        Routing(16, 128_000_000, 34_000_000),
        Routing(64, 512_000_000, 124_000_000),
    ],
    baseline=10_000_000,
    w0=18_900_000,
    subnet=13_100_000,
    w0_share=0.5,
)  # a mean of 16 000 000


def write_artifacts(root: Path, tasks: list[str], n_subnets: int, seed: int = 0) -> Path:
    """Write `root/artifacts` and return it; scores are random but lie in plausible ranges."""
    artifacts, rng = root / "artifacts", np.random.default_rng(seed)
    counts = {domain: int(rng.integers(1500, 3500)) for domain in DOMAINS}
    n = sum(counts.values())
    _json(
        artifacts / "data/meta.json",
        {"source": "builtin", "size": 64, "n": n, "store": "decoded", "domains": counts},
    )
    _configs_and_histories(artifacts, n_subnets, rng)
    sizes = rng.multinomial(n, rng.dirichlet(np.full(n_subnets, 12.0)))
    _clusters(artifacts / "clusters", sizes, rng)
    for task in tasks:
        _task(artifacts, task, sizes, rng)
    return artifacts


def write_others(artifacts: Path, tasks: list[str], networks: list[str]) -> None:
    """Add evaluations of other backbones; their scores differ from one another."""
    for i, task in enumerate(tasks):
        for j, network in enumerate(networks):
            found = {"linear": 40.0 + 3 * i + j, "knn": 30.0 + 3 * i + j}
            found["linear_interval"] = [found["linear"] - 2, found["linear"] + 2]
            value = {"task": task, "metric": "accuracy", "networks": {network: found}}
            _json(artifacts / f"eval/{network}/{task}.json", value)


def write_detection(artifacts: Path, name: str) -> None:
    """Add what fine-tuning on a detection set found, and how routing went."""
    rungs = {"ap_40": 12.5, "ap_80": 20.25}
    candidates = [{"rank": i + 1, "subnet": i, "proxy": 60.0 - i, **rungs} for i in range(3)]
    routing = {
        "subnet": 0,
        "path": "0-0-0-0",
        "iterations": 240,
        "exhaustive_iterations": 1280,
        "candidates": candidates,
    }
    for network, more in (("baseline", {}), ("sdr", {"routing": routing})):
        found = {"set": name, "network": network, "ap": 30.5, "ap50": 61.0, "ap75": 24.0, "iterations": 300}
        _json(artifacts / f"eval/detection/{network}/{name}.json", found | more)


def write_timing(artifacts: Path) -> None:
    """Add what was measured of the two trainings."""
    baseline = {"seconds": 151.2, "images": 90_000, "images_per_s": 595.2, "wait_share": 0.25, "peak_mib": None}
    sdrnet = {"seconds": 243.9, "images": 90_000, "images_per_s": 1369.0, "wait_share": 0.034, "peak_mib": 512.25}
    _json(artifacts / "timing/baseline.json", baseline | {"device": "cpu", "processes": 1})
    _json(artifacts / "timing/sdrnet.json", sdrnet | {"device": "cuda", "processes": 4})


def write_log(file: Path) -> None:
    """Log runs of eight stages; `train_sdr` was interrupted, and ended on the next day."""
    start = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    for minutes, stage, seconds, status in (
        (0, "prepare", 30.5, "ok"),
        (1, "prepare_task@kinds", 4.0, "ok"),
        (2, "prepare_task@letters", 6.0, "ok"),
        (3, "pretrain", 120.0, "ok"),
        (5, "train_sdr", 50.0, "interrupted"),
        (24 * 60, "train_sdr", 200.0, "ok"),
        (24 * 60 + 4, "route@kinds", 9.0, "ok"),
        (24 * 60 + 4, "route@gone", 9.0, "ok"),
        (24 * 60 + 5, "evaluate_routed@kinds", 3.0, "failed"),
        (24 * 60 + 6, "report", 8.0, "ok"),
    ):
        append(file, StageRun(stage, start + timedelta(minutes=minutes), seconds, status))


def path_of(subnet: int, groups: int = 4, stages: int = 4) -> str:
    return "-".join(str(subnet // groups**stage % groups) for stage in reversed(range(stages)))


def _configs_and_histories(artifacts, n_subnets, rng):
    narrow = BACKBONE | {"shared": [16, 32, 64, 128], "group": [0] * 4, "groups": 1}
    wide = BACKBONE | {"shared": [12, 24, 48, 96], "group": [4, 8, 16, 32], "groups": 4}
    heads = {"projection": 128, "hidden": 64, "layers": 2, "output_norm": True, "prediction": 32}
    common = {"method": "simsiam", "heads": heads, "versions": {"torch": "2.15.0"}}
    macs = {"baseline": 10_000_000, "w0": 18_900_000, "subnet": 13_100_000, "w0_share": 0.5}
    counted = {"macs": macs, "groups": 4, "w0_images": 45_000}
    baseline = {"macs": 10_000_000, "backbone": narrow, "parameters": {"supernet": 309_216}, "steps": 600}
    sdrnet = {"backbone": wide, "parameters": {"supernet": 812_744}, "steps": 900}
    _json(artifacts / "baseline/config.json", baseline | common)
    _json(artifacts / "sdrnet/config.json", sdrnet | common | {"n_subnets": n_subnets} | counted)
    _json(artifacts / "calibration/meta.json", {"macs": [1_000_000] * 5})

    def loss(step):
        return -0.9 + 0.7 * np.exp(-step / 200) + rng.normal(0, 0.02)

    def std(step):
        return 0.8 - 0.4 * np.exp(-step / 100) + rng.normal(0, 0.02)

    rows = [
        {
            "step": s,
            "epoch": s // 50,
            "loss": loss(s),
            "std": std(s),
            "lr": 0.05,
        }
        for s in range(0, 600, 5)
    ]
    _csv(artifacts / "baseline/history.csv", rows)
    _csv(
        artifacts / "baseline/probe.csv",
        [
            {"step": s, "phase": 0, "network": "W0", "rank": 20 + s / 20, "knn_shapes": 40 + s / 60}
            for s in range(49, 600, 50)
        ],
    )
    rows = []
    for step in range(0, 900, 5):
        phase = step // 300
        w0 = n_subnets == 1 or phase == 0 or rng.random() < 0.3
        ssl, distill = loss(step), "" if w0 else loss(step) + 0.1
        rows.append(
            {
                "step": step,
                "phase": phase,
                "network": "W0" if w0 else int(rng.integers(n_subnets)),
                "loss": ssl if w0 else ssl + distill,
                "ssl": ssl,
                "distill": distill,
                "std": std(step),
                "lr": 0.05,
            }
        )
    _csv(artifacts / "sdrnet/history.csv", rows)
    looks = [row for row in rows if row["step"] % 50 == 0]
    _csv(
        artifacts / "sdrnet/probe.csv",
        [
            {k: row[k] for k in ("step", "phase", "network")} | {"rank": 40 + row["step"] / 40, "knn_shapes": 45.0}
            for row in looks
        ],
    )


def _clusters(folder, sizes, rng):
    rows = []
    for cluster, size in enumerate(sizes):
        rows.append({"cluster": cluster, "size": size, "purity": rng.uniform(0.4, 1), "domain": rng.choice(DOMAINS)})
        path = folder / f"samples/cluster_{cluster:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 255, (4, 32, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((512, 64), Image.Resampling.BILINEAR).save(path)
    _csv(folder / "clusters.csv", rows)
    _json(folder / "metrics.json", {"n_clusters": len(sizes), "entropy": 0.97, "balance": 0.8, "purity": 0.7})


def _task(artifacts, task, sizes, rng):
    base, spread = rng.uniform(40, 80), rng.uniform(1, 4)
    knn = base + rng.normal(0.5, spread, len(sizes))
    order = np.argsort(-knn)
    ranking = [
        {
            "rank": rank + 1,
            "subnet": i,
            "path": path_of(int(i)),
            "cluster_size": sizes[i],
            "images": 90,
            "score": knn[i],
            "gain": knn[i] - base,
        }
        for rank, i in enumerate(order)
    ]
    best = ranking[0]
    _csv(artifacts / f"route/{task}/ranking.csv", ranking)
    route = {"task": task, "subnet": int(best["subnet"]), "path": best["path"], "value": best["score"]}
    route |= {"baseline": base, "w0": base + 1, "k": 20, "temperature": 0.07, "score": "knn", "method": "exhaustive"}
    route |= {"best": [int(best["subnet"])], "images": 90, "macs": 50, "exhaustive_macs": 100}
    name = f"sub-net {route['subnet']} ({route['path']}), statistics of cluster {route['subnet']}"
    route["choice"] = {"name": name, "network": "subnet", "subnet": route["subnet"], "path": route["path"]}
    verdict = VERDICTS[len(task) % 3]
    advised = {"take it": name, "try the super-net": "super-net W_0"}
    route |= {"verdict": verdict, "gain": {"mean": 1.5, "low": 0.5, "high": 2.5}}
    route |= {"recommended": {"name": advised.get(verdict, "baseline")}}
    _json(artifacts / f"route/{task}/route.json", route)

    def evaluation(score):
        interval = [score - 2.6, score + 2.4]
        return {
            "linear": score,
            "linear_interval": interval,
            "knn": score - 5,
            "penalty": 1.0,
            "penalty_at_edge": False,
        }

    shared = {"task": task, "metric": "accuracy"}
    _json(artifacts / f"eval/baseline/{task}.json", shared | {"networks": {"baseline": evaluation(base + 4)}})
    _json(artifacts / f"eval/w0/{task}.json", shared | {"networks": {"w0": evaluation(base + 5)}})
    routed = {"sdr": evaluation(base + 4 + rng.normal(2, 3))}
    _json(artifacts / f"eval/sdr/{task}.json", shared | {"networks": routed})
    meta = {
        "task": task,
        "metric": "accuracy",
        "multilabel": False,
        "classes": ["a", "b", "c"],
        "n_train": 600,
    }
    meta |= {"n_val": 0, "n_test": 300, "chance": 33.3, "largest_class": 35.0, "raw_knn": base - 15}
    _json(artifacts / f"tasks/{task}/meta.json", meta)


def _json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def _csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def make_artifacts(tmp_path):
    """Write a tree under tmp_path: `make_artifacts(tasks, n_subnets) -> path`."""
    return lambda tasks=TASKS, n_subnets=16: write_artifacts(tmp_path, list(tasks), n_subnets)
