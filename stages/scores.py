"""Test scores of some networks and what their training took, in one file for tables of experiments → artifacts/scores.

    python -m stages.scores baseline | sdr | NAME       a NAME of `pruned`
"""

from pathlib import Path
from statistics import fmean

from sdr.errors import program
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.outputs import write_json
from sdr.params import load
from sdr.report.cost import Computing, baseline_macs, cost_of
from sdr.report.files import read_csv, read_json
from sdr.report.tables import task_scores
from sdr.ssl.method import Method
from sdr.train.jobs import Sdr

ROOT = Path("artifacts")
FOLDERS = {"baseline": "eval/baseline", "sdr": "eval/sdr"}


@program
def main(which: str) -> None:
    folder = ROOT / FOLDERS.get(which, f"eval/compare/{which}")
    tasks = {task: read_json(folder / f"{task}.json", ["networks"])["networks"] for task in load(tasks=dict)["tasks"]}
    found: dict[str, dict] = task_scores(tasks)
    if which in FOLDERS:
        found["training"] = trained(which)
    if which == "sdr":
        found["spread"] = spread(list(tasks))
    write_json(ROOT / f"scores/{which}.json", found)
    print(f"scores {which}: mean over {len(tasks)} tasks written")


def trained(which: str) -> dict[str, float]:
    """Images, multiply-adds (in millions of millions, exact) and seconds (of the machine it ran on) of a training."""
    view = load(views__size=int)["views__size"]
    if which == "baseline":
        timing = read_json(ROOT / "timing/baseline.json", ["images", "seconds"])
        macs = timing["images"] * baseline_macs(read_json(ROOT / "baseline/config.json"), view)
    else:
        timing = read_json(ROOT / "timing/sdrnet.json", ["images", "seconds"])
        params = load(n_subnets=int, method=Method, backbone=Backbone, heads=Heads, sdr=Sdr)
        cost = cost_of(Computing.of(**params, view=view, shown=view))
        w0 = read_json(ROOT / "sdrnet/config.json", ["w0_images"])["w0_images"]
        macs = w0 * cost.w0 + (timing["images"] - w0) * cost.subnet
    return {"images": timing["images"], "teramacs": round(macs / 1e12, 3), "seconds": timing["seconds"]}


def spread(tasks: list[str]) -> dict[str, float]:
    """Standard deviation of routing's score over the sub-nets that were tried, in points: a task, and the mean."""
    scores = {task: read_csv(ROOT / f"route/{task}/ranking.csv", ["score"])["score"] for task in tasks}
    found = {task: float(values.dropna().std(ddof=0)) for task, values in scores.items()}
    return {task: round(value, 3) for task, value in (found | {"mean": fmean(found.values())}).items()}


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:2])
