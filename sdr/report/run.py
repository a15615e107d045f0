"""One run of the pipeline, read from its artifacts and checked: nothing missing, nothing stale."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdr.base.errors import UserError
from sdr.base.run_log import StageRun, read_log
from sdr.report.files import read_csv, read_json
from sdr.report.runs import last_runs

if TYPE_CHECKING:
    import pandas as pd

OWN = ("baseline", "w0")  # networks of ours beside the routed sub-nets; every run has the baseline
RAW = "pixels"  # the entry of `compare` that features have to beat
ROUTED = ("sdr", "ensemble", "votes")  # what lies in one file
RANKING = ["rank", "subnet", "path", "cluster_size", "images", "score", "gain"]
ROUTE = ["subnet", "best", "method", "score", "value", "baseline", "w0", "choice", "gain", "verdict", "recommended"]
CLUSTERS = ["cluster", "size", "purity", "domain"]
HISTORY = ["step", "loss", "std"]
PROBE = ["step", "phase", "network", "rank"]
HISTORY_SDR = [*HISTORY, "phase", "network", "ssl"]


@dataclass(frozen=True)
class TaskRun:
    """What was measured on one downstream task.

    Attributes:
        name: key in `tasks` of `params.yaml`.
        meta: `artifacts/tasks/T/meta.json`.
        ranking: all sub-nets, best first: rank, subnet, path, cluster_size, images (that it was scored on), score
            and gain (over the baseline on those images); NaN where a sub-net was not tried.
        route: `artifacts/route/T/route.json`, the choice and how it was found; its score "w0" is None where W_0 was never trained.
        networks: "baseline", "w0" if it is one of `networks`, and "sdr" → the evaluation of that network, scores in per cent.
        others: "ensemble" and "votes", if the best sub-nets were tried together, and each other network of `networks` → its evaluation.
    """

    name: str
    meta: dict[str, Any]
    ranking: pd.DataFrame
    route: dict[str, Any]
    networks: dict[str, dict[str, Any]]
    others: dict[str, dict[str, Any]]

    @property
    def best(self) -> pd.Series:
        """The row of `ranking` of the best sub-net by the score, which need not be what routing took."""
        return self.ranking[self.ranking["subnet"] == self.route["subnet"]].iloc[0]

    @property
    def subnet(self) -> int | None:
        """The number of the sub-net that routing took, if it took one."""
        return self.route["choice"]["subnet"]

    @property
    def recommended(self) -> str:
        """Where the network lies that the verdict says to take, whichever it is."""
        return f"artifacts/route/{self.name}/recommended"


@dataclass(frozen=True)
class DetectionRun:
    """What was measured on one detection set.

    Attributes:
        name: key in `detection` of `params.yaml`.
        networks: "baseline", "sdr" and the others of `detection_networks` → what fine-tuning found: ap, ap50,
            ap75 in per cent, per_class, iterations.
        routing: how the sub-net was chosen: subnet, path, iterations, exhaustive_iterations, candidates.
    """

    name: str
    networks: dict[str, dict[str, Any]]
    routing: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """Everything that the report shows; see the attributes' files under `artifacts/`.

    `clusters` has one row a cluster, and cluster i is what sub-net i was trained on; `samples` is the folder
    of contact sheets. `baseline` and `sdrnet` are the two `config.json`, `calibration` its `meta.json`, the histories their `history.csv`. `timing`
    has what was measured of those two trainings where they ran; either may lack. `ran` is the last run of each stage. `probe` and
    `probe_sdr` are the trainings' `probe.csv`, without rows where nothing was looked at.
    """

    n_subnets: int
    seed: int
    data: dict[str, Any]
    baseline: dict[str, Any]
    sdrnet: dict[str, Any]
    calibration: dict[str, Any]
    history: pd.DataFrame
    history_sdr: pd.DataFrame
    probe: pd.DataFrame
    probe_sdr: pd.DataFrame
    clusters: pd.DataFrame
    clustering: dict[str, Any]
    samples: Path
    tasks: list[TaskRun]
    detection: list[DetectionRun]
    score_checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Task → what `check_scores` found."""
    timing: dict[str, dict[str, Any]] = field(default_factory=dict)
    ran: list[StageRun] = field(default_factory=list)


def read_run(
    artifacts: str | Path,
    tasks: Iterable[str],
    n_subnets: int,
    seed: int,
    networks: Iterable[str] = OWN,
    detection: Iterable[str] = (),
    detection_networks: Iterable[str] = (),
    adapt: Iterable[str] = (),
    score_check: Iterable[str] = (),
    log: Path | None = None,
) -> Run:
    """Read a whole run.

    Args:
        artifacts: the folder of artifacts.
        tasks: names of the tasks, in the order of the report.
        n_subnets: how many sub-nets each ranking must hold.
        seed: shown, not used.
        networks: names of the networks that every task is evaluated with beside the routed sub-nets; the baseline among them.
        detection: names of the detection sets.
        detection_networks: names of the networks that are fine-tuned on them beside the routed sub-nets.
        adapt: names of the tasks for which the baseline was trained on.
        score_check: names of the tasks on which the routing scores are judged.
        log: of the stages that ran here; None if none is kept.

    Raises:
        UserError: an artifact is missing, unreadable or incomplete, or belongs to no task in `tasks`.
    """
    root, names, sets, checked = Path(artifacts), list(tasks), list(detection), list(score_check)
    evaluated, tuned, adapted = list(networks), list(detection_networks), list(adapt)
    sdrnet = read_json(root / "sdrnet/config.json", ["method", "macs", "groups"])
    trained = sdrnet.get("w0_trained", True)
    if "w0" in evaluated and not trained:
        raise UserError("params.yaml: networks: `w0`: this super-net's W_0 was never trained; take it out of the list")
    timing = {name: root / f"timing/{name}.json" for name in ("baseline", "sdrnet")}
    _refuse_stale(
        root, set(names), set(evaluated), set(sets), set(tuned), {"scores": set(checked), "adapted": set(adapted)}
    )
    return Run(
        n_subnets=n_subnets,
        seed=seed,
        data=read_json(root / "data/meta.json"),
        baseline=read_json(root / "baseline/config.json"),
        sdrnet=sdrnet,
        calibration=read_json(root / "calibration/meta.json", ["macs"]),
        history=read_csv(root / "baseline/history.csv", HISTORY),
        history_sdr=read_csv(root / "sdrnet/history.csv", HISTORY_SDR),
        probe=read_csv(root / "baseline/probe.csv", PROBE),
        probe_sdr=read_csv(root / "sdrnet/probe.csv", PROBE),
        clusters=read_csv(root / "clusters/clusters.csv", CLUSTERS),
        clustering=read_json(root / "clusters/metrics.json"),
        samples=root / "clusters/samples",
        tasks=[_task(root, name, n_subnets, evaluated, adapted, trained) for name in names],
        score_checks={name: read_json(root / f"eval/scores/{name}.json", ["scores", "chance"]) for name in checked},
        detection=[_detection(root, name, list(dict.fromkeys(["baseline", "sdr", *tuned]))) for name in sets],
        timing={name: read_json(file) for name, file in timing.items() if file.exists()},
        ran=last_runs(read_log(log), names, sets, {*evaluated, *tuned}) if log else [],
    )


def groups_of(path: str) -> tuple[int, ...]:
    """Group of each stage along a path, `"0-2-1-3"` → `(0, 2, 1, 3)`; any separator will do."""
    return tuple(int(digits) for digits in re.findall(r"\d+", path))


def read_evaluation(root: Path, network: str, task: str) -> dict[str, Any]:
    """Read what was measured of one network on one task.

    Args:
        root: the folder of artifacts.
        network: one of `networks`, or "sdr", and of the best sub-nets together "ensemble" and "votes".

    Raises:
        UserError: it is missing or incomplete.
    """
    file = root / "eval" / ("sdr" if network in ROUTED else network) / f"{task}.json"
    found = read_json(file, ["networks"])["networks"]
    if network not in found:
        raise UserError(f"{file}: no scores of `{network}`; remove it and run `dvc repro`")
    return found[network]


def _task(root: Path, name: str, n_subnets: int, evaluated: list[str], adapted: list[str], w0_trained: bool) -> TaskRun:
    table = root / "route" / name / "ranking.csv"
    ranking = read_csv(table, RANKING)
    if len(ranking) != n_subnets:
        raise UserError(f"{table}: ranks {len(ranking)} sub-nets and n_subnets is {n_subnets}; run `dvc repro`")
    route = read_json(root / "route" / name / "route.json", ROUTE)
    if route["subnet"] not in set(ranking["subnet"]):
        raise UserError(f"{table}: the best sub-net {route['subnet']} is not ranked; run `dvc repro`")
    if not w0_trained:
        route["w0"] = None
    own = [network for network in OWN if network == "baseline" or network in evaluated]
    networks = {network: read_evaluation(root, network, name) for network in (*own, "sdr")}
    together = [network for network in ("ensemble", "votes") if len(route["best"]) > 1]
    others = {
        network: read_evaluation(root, network, name)
        for network in (*together, *["adapted"] * (name in adapted), *(n for n in evaluated if n not in OWN))
    }
    meta = read_json(root / "tasks" / name / "meta.json", ["metric", "chance", "raw_knn", "n_train", "n_test"])
    return TaskRun(name, meta, ranking, route, networks, others)


def _detection(root: Path, name: str, networks: list[str]) -> DetectionRun:
    files = {network: root / "eval/detection" / network / f"{name}.json" for network in networks}
    found = {network: read_json(file, ["ap", "ap50", "ap75", "iterations"]) for network, file in files.items()}
    if "routing" not in found["sdr"]:
        raise UserError(f"{files['sdr']}: lacks routing; remove it and run `dvc repro`")
    return DetectionRun(name, found, found["sdr"]["routing"])


def _refuse_stale(
    root: Path, tasks: set[str], networks: set[str], sets: set[str], tuned: set[str], some: dict[str, set[str]]
) -> None:
    """Raise UserError for results of what params.yaml no longer has; DVC leaves them, and nobody would notice. `some`: folder of scores → its tasks."""
    single = {"tasks/*": tasks, "route/*": tasks, "detection/*": sets, "route_detection/*": sets}
    paired = {"eval/detection/*/*": (tuned | {"sdr"}, sets)}
    stale = [p for pattern, names in single.items() for p in root.glob(pattern) if _name(p) not in names]
    for folder in root.glob("eval/*"):
        if folder.name != "detection":
            known = some.get(folder.name, tasks if folder.name in networks | {"sdr"} else set())
            stale += [p for p in folder.iterdir() if _name(p) not in known]
    for pattern, (networks, names) in paired.items():
        stale += [p for p in root.glob(pattern) if _name(p) not in names or p.parent.name not in networks]
    if stale := sorted(path for path in stale if path.name[0] != "."):
        raise UserError(
            f"{', '.join(map(str, stale))}: left over from what params.yaml no longer has; run `python -m tools.prune`"
        )


def _name(path: Path) -> str:
    return path.name.removesuffix(".json")
