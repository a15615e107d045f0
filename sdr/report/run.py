"""One run of the pipeline, read from its artifacts and checked: nothing missing, nothing stale."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sdr.errors import UserError

RANKING = ["rank", "subnet", "path", "cluster_size", "knn", "gain"]
CLUSTERS = ["cluster", "size", "purity", "domain"]
HISTORY = ["step", "loss", "std", "images_per_s"]
HISTORY_SDR = [*HISTORY, "phase", "network", "ssl"]


@dataclass(frozen=True)
class TaskRun:
    """What was measured on one downstream task.

    Attributes:
        name: key in `tasks` of `params.yaml`.
        meta: `artifacts/tasks/T/meta.json`.
        ranking: all sub-nets, best first: rank, subnet, path, cluster_size, knn and gain (percentage points).
        route: `artifacts/route/T/route.json`, the sub-net that was chosen.
        networks: "baseline", "w0" and "sdr" → the evaluation of that network, scores in per cent.
    """

    name: str
    meta: dict[str, Any]
    ranking: pd.DataFrame
    route: dict[str, Any]
    networks: dict[str, dict[str, Any]]

    @property
    def chosen(self) -> pd.Series:
        """The row of `ranking` that routing chose."""
        return self.ranking[self.ranking["subnet"] == self.route["subnet"]].iloc[0]


@dataclass(frozen=True)
class Run:
    """Everything that the report shows; see the attributes' files under `artifacts/`.

    `clusters` has one row a cluster, and cluster i is what sub-net i was trained on; `samples` is the folder
    of contact sheets. `baseline` and `sdrnet` are the two `config.json`, the histories their `history.csv`.
    """

    n_subnets: int
    seed: int
    data: dict[str, Any]
    baseline: dict[str, Any]
    sdrnet: dict[str, Any]
    history: pd.DataFrame
    history_sdr: pd.DataFrame
    clusters: pd.DataFrame
    clustering: dict[str, Any]
    samples: Path
    tasks: list[TaskRun]


def read_run(artifacts: str | Path, tasks: Iterable[str], n_subnets: int, seed: int) -> Run:
    """Read a whole run.

    Args:
        artifacts: the folder of artifacts.
        tasks: names of the tasks, in the order of the report.
        n_subnets: how many sub-nets each ranking must hold.
        seed: shown, not used.

    Raises:
        UserError: an artifact is missing, unreadable or incomplete, or belongs to no task in `tasks`.
    """
    root, names = Path(artifacts), list(tasks)
    if "mean" in names:
        raise UserError(
            "params.yaml: a task cannot be called `mean`: that row holds the mean; rename the task"
        )
    _refuse_stale(root, set(names))
    return Run(
        n_subnets=n_subnets,
        seed=seed,
        data=_json(root / "data/meta.json"),
        baseline=_json(root / "baseline/config.json"),
        sdrnet=_json(root / "sdrnet/config.json"),
        history=_csv(root / "baseline/history.csv", HISTORY),
        history_sdr=_csv(root / "sdrnet/history.csv", HISTORY_SDR),
        clusters=_csv(root / "clusters/clusters.csv", CLUSTERS),
        clustering=_json(root / "clusters/metrics.json"),
        samples=root / "clusters/samples",
        tasks=[_task(root, name, n_subnets) for name in names],
    )


def groups_of(path: str) -> tuple[int, ...]:
    """Group of each stage along a path, `"0-2-1-3"` → `(0, 2, 1, 3)`; any separator will do."""
    return tuple(int(digits) for digits in re.findall(r"\d+", path))


def _task(root: Path, name: str, n_subnets: int) -> TaskRun:
    table = root / "route" / name / "ranking.csv"
    ranking = _csv(table, RANKING)
    if len(ranking) != n_subnets:
        raise UserError(
            f"{table}: ranks {len(ranking)} sub-nets and n_subnets is {n_subnets}; run `dvc repro`"
        )
    route = _json(root / "route" / name / "route.json", ["subnet", "knn", "baseline", "w0"])
    if route["subnet"] not in set(ranking["subnet"]):
        raise UserError(f"{table}: the chosen sub-net {route['subnet']} is not ranked; run `dvc repro`")
    networks = {}
    for kind, wanted in (("baseline", ["baseline"]), ("sdr", ["w0", "sdr"])):
        file = root / "eval" / kind / f"{name}.json"
        found = _json(file, ["networks"])["networks"]
        for network in wanted:
            if network not in found:
                raise UserError(f"{file}: no scores of `{network}`; remove it and run `dvc repro`")
            networks[network] = found[network]
    meta = _json(root / "tasks" / name / "meta.json", ["metric", "chance", "raw_knn", "n_train", "n_test"])
    return TaskRun(name, meta, ranking, route, networks)


def _refuse_stale(root: Path, names: set[str]) -> None:
    found = [*root.glob("tasks/*"), *root.glob("route/*"), *root.glob("eval/*/*.json")]
    stale = [path for path in found if path.name.removesuffix(".json") not in names and path.name[0] != "."]
    if stale:
        raise UserError(
            f"{', '.join(map(str, sorted(stale)))}: left over from a task that params.yaml no longer has; "
            "run `python -m tools.prune`"
        )


def _json(path: Path, keys: Iterable[str] = ()) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: missing; run `dvc repro`, which makes it") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON ({error}); remove it and run `dvc repro`") from None
    if lacking := [key for key in keys if key not in value]:
        raise UserError(f"{path}: lacks {', '.join(lacking)}; remove it and run `dvc repro`")
    return value


def _csv(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"network": str, "path": str, "domain": str})
    except FileNotFoundError:
        raise UserError(f"{path}: missing; run `dvc repro`, which makes it") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise UserError(f"{path}: not a CSV table ({error}); remove it and run `dvc repro`") from None
    if lacking := [column for column in columns if column not in table]:
        raise UserError(f"{path}: lacks the columns {', '.join(lacking)}; remove it and run `dvc repro`")
    return table
