"""What a run measured, network by network and over all tasks, which tables of experiments are made of."""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from sdr.base.errors import UserError
from sdr.report.files import read_csv, read_json
from sdr.report.run import read_evaluation

PROTOCOLS = ("linear", "knn")


def read_scores(artifacts: str | Path, network: str, tasks: Iterable[str]) -> dict[str, dict[str, float]]:
    """Read the scores of one network: protocol → task (and "mean", unweighted), % to 2 digits.

    Args:
        artifacts: the folder of artifacts.
        network: as `sdr.report.run.read_evaluation` takes it.

    Raises:
        UserError: one is missing or incomplete, or there is no task.
    """
    found = {task: read_evaluation(Path(artifacts), network, task) for task in tasks}
    if not found:
        raise UserError("params.yaml: `tasks` is empty: there are no scores")
    return {p: _rounded({task: float(scores[p]) for task, scores in found.items()}, 2) for p in PROTOCOLS}


def spread(folder: str | Path, tasks: Iterable[str]) -> dict[str, float]:
    """Standard deviation of routing's score over the sub-nets that were tried, points: a task, and "mean"."""
    scores = {task: read_csv(Path(folder, task, "ranking.csv"), ["score"])["score"].dropna() for task in tasks}
    return _rounded({task: float(values.std(ddof=0)) for task, values in scores.items()}, 3)


def training(artifacts: str | Path, of: str) -> dict[str, float]:
    """What a training took: images (each with both its views), 10¹² multiply-adds, seconds of the machine it ran on.

    Args:
        of: "baseline" or "sdrnet".
    """
    timing = read_json(Path(artifacts, "timing", f"{of}.json"), ["images", "seconds"])
    config = read_json(Path(artifacts, of, "config.json"), ["macs"])
    images, macs = timing["images"], config["macs"]
    if of == "sdrnet":
        w0 = config["w0_images"]
        total = w0 * macs["w0"] + (images - w0) * macs["subnet"]
    else:
        total = images * macs
    return {"images": images, "teramacs": round(total / 1e12, 3), "seconds": timing["seconds"]}


def _rounded(row: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in (row | {"mean": fmean(row.values())}).items()}
