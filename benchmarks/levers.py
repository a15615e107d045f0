"""What each way to make SDR cheaper costs in accuracy, on the default corpus, over seeds.

    python -m benchmarks.levers --folder /tmp/levers --seeds 0 1 2 --out benchmarks/results/levers-cpu.json

Runs the stages themselves, from the baseline to linear evaluation, in a folder of its own: the prepared data and tasks are
those of the working copy (`dvc repro prepare prepare_task`), the baseline and the clusters of a seed are shared by its
levers. What is finished is kept, so an interrupted run goes on. About five minutes a lever and seed on two cores. The
seconds are of the training alone; `benchmarks/cost_of_subnets.py` measures them side by side.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

from ruamel.yaml import YAML

from benchmarks.measure import machine

ROOT = Path(__file__).parents[1]
LEVERS = {
    "default": {},
    "two teacher views": {"sdr.distill_views": 2},
    "half the share of W_0": {"sdr.w0_share": 0.2},
    "teacher learns, half the epochs": {"sdr.train_teacher": True, "sdr.w0_share": 0.0, "sdr.epochs": 10},
    "teacher in bfloat16": {"compute.cpu.teacher_bf16": True, "compute.cuda.teacher_bf16": True},
}
SHARED = ("baseline", "features", "clusters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--levers", nargs="+", default=list(LEVERS), choices=list(LEVERS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = []
    for seed in args.seeds:
        common = prepare(args.folder / f"seed-{seed}" / "common", seed)
        for lever in args.levers:
            found.append({"lever": lever, "seed": seed} | train(common, lever, seed))
            print(json.dumps(found[-1]), flush=True)
    table = summarise(found, args.levers)
    for name, row in table.items():
        print(f"{name:>32}  " + "  ".join(f"{key} {value}" for key, value in row.items()))
    if args.out:
        facts = {"command": shlex.join(["python", "-m", "benchmarks.levers", *sys.argv[1:]]), **machine()}
        args.out.write_text(json.dumps(facts | {"levers": LEVERS, "summary": table, "runs": found}, indent=1) + "\n")


def prepare(folder: Path, seed: int) -> Path:
    """The baseline and the clusters of a seed, and how the baseline does."""
    _workplace(folder, seed, {})
    for name in ("data", "tasks"):
        _link(ROOT / "artifacts" / name, folder / "artifacts" / name)
    for stage in ("pretrain", "extract", "cluster"):
        _stage(folder, stage)
    for task in _tasks(folder):
        _stage(folder, "linear_eval", task, "baseline")
    return folder


def train(common: Path, lever: str, seed: int) -> dict:
    """One SDR training with what follows from it: mean scores over the tasks."""
    folder = common.with_name(lever.replace(" ", "-"))
    _workplace(folder, seed, LEVERS[lever])
    for name in ("data", "tasks", *SHARED):
        _link((common / "artifacts" / name).resolve(), folder / "artifacts" / name)
    for stage in ("train_sdr", "calibrate"):
        _stage(folder, stage)
    for task in _tasks(folder):
        _stage(folder, "route", task)
        _stage(folder, "linear_eval", task, "sdr")

    def scores(root: Path, kind: str, network: str) -> dict[str, float]:
        each = [json.loads((root / f"artifacts/eval/{kind}/{task}.json").read_text()) for task in _tasks(root)]
        return {
            protocol: round(mean(e["networks"][network][protocol] for e in each), 3) for protocol in ("linear", "knn")
        }

    timing = json.loads((folder / "artifacts/timing/sdrnet.json").read_text())
    return {
        "seconds": timing["seconds"],
        "baseline": scores(common, "baseline", "baseline"),
        "w0": scores(folder, "sdr", "w0"),
        "sdr": scores(folder, "sdr", "sdr"),
    }


def summarise(found: list[dict], levers: list[str]) -> dict[str, dict]:
    """Mean and standard deviation over the seeds of each lever's score and of its gain over the baseline."""
    table = {}
    for lever in levers:
        runs, row = [run for run in found if run["lever"] == lever], {"seeds": 0}
        row["seeds"] = len(runs)
        for protocol in ("linear", "knn"):
            values = [run["sdr"][protocol] for run in runs]
            gains = [run["sdr"][protocol] - run["baseline"][protocol] for run in runs]
            row[protocol] = _spread(values)
            row[f"{protocol} gain"] = _spread(gains)
        table[lever] = row
    return table


def _spread(values: list[float]) -> list[float]:
    return [round(mean(values), 2), round(stdev(values), 2) if len(values) > 1 else 0.0]


def _workplace(folder: Path, seed: int, changes: dict[str, object]) -> None:
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    for name, value in ({"seed": seed} | changes).items():
        *path, last = name.split(".")
        section = params
        for key in path:
            section = section[key]
        section[last] = value
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def _tasks(folder: Path) -> list[str]:
    return list(YAML(typ="safe").load((folder / "params.yaml").read_text())["tasks"])


def _link(source: Path, target: Path) -> None:
    if not target.exists():
        target.symlink_to(source, target_is_directory=True)


def _stage(folder: Path, *command: str) -> None:
    """Run a stage unless it is done in this folder."""
    done = folder / "done" / "-".join(command)
    if done.exists():
        return
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SDR_SCRATCH": str(folder / "scratch")}
    environment.pop("DVC_STAGE", None)
    with (folder / "log.txt").open("a") as log:
        subprocess.run(
            [sys.executable, "-m", f"stages.{command[0]}", *command[1:]],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            check=True,
        )
    done.parent.mkdir(exist_ok=True)
    done.touch()


if __name__ == "__main__":
    main()
