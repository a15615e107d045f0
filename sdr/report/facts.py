"""What the page says in words and small tables beside the figures."""

from collections.abc import Iterator
from typing import Any

from sdr.report.cost import Cost
from sdr.report.run import Run
from sdr.report.tables import signed
from sdr.report.units import count


def header(run: Run) -> list[tuple[str, str]]:
    """What this run is: (label, value) pairs."""
    data = run.data
    subnet, supernet = widths(run.sdrnet.get("backbone", {}))
    return [
        ("corpus", str(data.get("source", "–"))),
        ("images", count(data.get("n"))),
        ("stored size", f"{data.get('size', '–')} px"),
        ("tasks", str(len(run.tasks))),
        ("sub-nets", str(run.n_subnets)),
        ("seed", str(run.seed)),
        ("widths of a sub-net", subnet),
        ("widths of the super-net", supernet),
    ]


def domains(run: Run, most: int = 12) -> str:
    """The largest domains of the corpus with their numbers of images, in words."""
    counts = sorted(run.data.get("domains", {}).items(), key=lambda item: -item[1])
    words = [f"{name} {count(number)}" for name, number in counts[:most]]
    if len(counts) > most:
        words.append(f"and {count(len(counts) - most)} more with {count(sum(n for _, n in counts[most:]))} images")
    left_out = {
        "near-duplicates": run.data.get("duplicates_dropped"),
        "unreadable files": len(run.data.get("skipped", [])),
    }
    told = "".join(f"; {count(number)} {what} left out" for what, number in left_out.items() if number)
    return ", ".join(words) + told


def widths(backbone: dict[str, Any]) -> tuple[str, str]:
    """Planes a stage, `"16–32–64–128"`, of a sub-net (shared and one group) and of the super-net (all)."""
    shared, group, groups = backbone.get("shared"), backbone.get("group"), backbone.get("groups")
    if not (shared and group and groups):
        return "–", "–"
    narrow = [s + g for s, g in zip(shared, group, strict=True)]
    wide = [s + groups * g for s, g in zip(shared, group, strict=True)]
    return "–".join(map(str, narrow)), "–".join(map(str, wide))


def at_edge(run: Run) -> list[str]:
    """Evaluations whose penalty is the least or the greatest of the grid: a better one may lie outside."""
    return [
        f"{task.name} ({network})"
        for task in run.tasks
        for network, evaluation in task.networks.items()
        if evaluation.get("penalty_at_edge")
    ]


def clusters(run: Run) -> list[dict[str, Any]]:
    """Every cluster with its share of the corpus (%) and the tasks that chose its sub-net."""
    total = max(1, int(run.clusters["size"].sum()))
    rows = run.clusters.astype({"purity": float}).to_dict("records")
    return [
        {
            "cluster": int(row["cluster"]),
            "size": int(row["size"]),
            "share": 100 * row["size"] / total,
            "purity": 100 * row["purity"] if row["size"] else 0.0,
            "domain": row["domain"] if row["size"] else "empty",
            "tasks": [task.name for task in run.tasks if task.subnet == row["cluster"]],
        }
        for row in rows
    ]


def chosen_clusters(run: Run) -> list[dict[str, Any]]:
    """The clusters of the chosen sub-nets, each once, in the order of the tasks, with the sub-net's path."""
    by_number = {cluster["cluster"]: cluster for cluster in clusters(run)}
    paths = {task.subnet: task.route["choice"]["path"] for task in run.tasks if task.subnet is not None}
    return [by_number[number] | {"path": path} for number, path in paths.items()]


def dots(run: Run) -> list[dict[str, Any]]:
    """Every sub-net that was tried, a row a task: where its dot lies (% of the width, pixels down) and what is said of it."""
    if run.n_subnets < 2 or not run.tasks:
        return []
    gains = [gain for task in run.tasks for gain in task.ranking["gain"].dropna()]
    low, high = min([0.0, *gains]), max([0.0, *gains])
    width = max(high - low, 1e-9)

    def place(gain: float) -> float:
        return round(3 + 94 * (gain - low) / width, 2)

    of = {cluster["cluster"]: cluster for cluster in clusters(run)}
    found = []
    for task in run.tasks:
        rows = task.ranking.dropna(subset=["gain"]).sort_values("gain")
        placed = [
            {
                "x": place(row["gain"]),
                "y": 12 + 10 * (number % 3),
                "subnet": int(row["subnet"]),
                "best": row["subnet"] == task.route["subnet"],
                "words": f"{task.name}: sub-net {int(row['subnet'])}, path {row['path']}, gain {signed(row['gain'])}; "
                f"cluster of {count(of[row['subnet']]['size'])} images, {of[row['subnet']]['purity']:.0f} % {of[row['subnet']]['domain']}",
            }
            for number, row in enumerate(rows.to_dict("records"))
        ]
        found.append({"name": task.name, "zero": place(0.0), "dots": placed})
    return found


def clustering(run: Run) -> str:
    """The numbers that describe the clustering as a whole, in words."""
    numbers = {
        key: value for key, value in run.clustering.items() if isinstance(value, int | float) and key != "n_clusters"
    }
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in numbers.items())


def trainings(run: Run, cost: Cost) -> list[dict[str, Any]]:
    """Size, length and multiply-adds of the two trainings, and what was measured where they ran, if it is known."""
    rows = (
        ("baseline", run.baseline, run.timing.get("baseline"), cost.baseline),
        ("SDR", run.sdrnet, run.timing.get("sdrnet"), cost.training(run.n_subnets)),
    )
    return [
        {
            "name": name,
            "parameters": _size(config),
            "steps": config.get("steps"),
            "macs": macs,
            "measured": measured and measured | {"device": _device(measured)},
        }
        for name, config, measured, macs in rows
    ]


def parameters(run: Run) -> list[tuple[str, str, str]]:
    """(name, value for the baseline, value for SDR) of all that the two trainings recorded of themselves."""
    baseline, sdr = (dict(_flat(config)) for config in (run.baseline, run.sdrnet))
    return [(name, baseline.get(name, "–"), sdr.get(name, "–")) for name in dict.fromkeys([*baseline, *sdr])]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _flat(below, f"{name}.{key}".lstrip("."))
    else:
        yield name, str(value)


def _size(config: dict[str, Any]) -> int | None:
    found = config.get("parameters")
    return found.get("supernet") if isinstance(found, dict) else found


def _device(measured: dict[str, Any]) -> str:
    processes = measured.get("processes") or 1
    return f"{processes} × {measured['device']}" if processes > 1 else str(measured["device"])
