"""Scores of some networks over all tasks in one place, which tables of experiments are made of."""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from sdr.base.errors import UserError
from sdr.report.files import read_csv, read_json

PROTOCOLS = ("linear", "knn")


def read_scores(folder: str | Path, tasks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read evaluations FOLDER/TASK.json: network → protocol → task (and "mean", unweighted), % to 2 digits.

    Raises:
        UserError: one is missing or incomplete, or there is no task.
    """
    found = {task: read_json(Path(folder, f"{task}.json"), ["networks"])["networks"] for task in tasks}
    if not found:
        raise UserError("params.yaml: `tasks` is empty: there are no scores")
    table: dict[str, dict[str, Any]] = {}
    for network in next(iter(found.values())):
        for protocol in PROTOCOLS:
            row = {task: float(networks[network][protocol]) for task, networks in found.items()}
            table.setdefault(network, {})[protocol] = _rounded(row, 2)
    return table


def spread(folder: str | Path, tasks: Iterable[str]) -> dict[str, float]:
    """Standard deviation of routing's score over the sub-nets that were tried, points: a task, and "mean"."""
    scores = {task: read_csv(Path(folder, task, "ranking.csv"), ["score"])["score"].dropna() for task in tasks}
    return _rounded({task: float(values.std(ddof=0)) for task, values in scores.items()}, 3)


def training(timing: dict[str, Any], macs: float) -> dict[str, float]:
    """What a training took: images (each with both its views), 10¹² multiply-adds, seconds of the machine it ran on."""
    return {"images": timing["images"], "teramacs": round(macs / 1e12, 3), "seconds": timing["seconds"]}


def _rounded(row: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in (row | {"mean": fmean(row.values())}).items()}
