"""The result table: one row a task and their mean, as numbers, Markdown and on the terminal."""

from statistics import fmean
from typing import Any

from sdr.report.run import TaskRun

PROTOCOLS = ("linear", "knn")
NETWORKS = ("baseline", "w0", "sdr")
COLUMNS = (*NETWORKS, "gain")

Scores = dict[str, dict[str, float]]


def scores(task: TaskRun) -> Scores:
    """Test scores of one task, %, not rounded: `{"linear": {"baseline", "w0", "sdr", "gain"}, "knn": …}`.

    The gain is the routed sub-net minus the baseline, in percentage points.
    """
    table = {}
    for protocol in PROTOCOLS:
        row = {network: float(task.networks[network][protocol]) for network in NETWORKS}
        table[protocol] = row | {"gain": row["sdr"] - row["baseline"]}
    return table


def mean(tables: list[Scores]) -> Scores:
    """Unweighted mean over tasks of every score: each task counts the same, whatever its metric and size."""
    return {
        protocol: {column: fmean(table[protocol][column] for table in tables) for column in COLUMNS}
        for protocol in PROTOCOLS
    }


def summary(tasks: list[TaskRun]) -> dict[str, Scores]:
    """What `dvc metrics` reads: task (and "mean") → protocol → column, to 2 digits; empty without tasks."""
    tables = {task.name: scores(task) for task in tasks}
    if tables:
        tables["mean"] = mean(list(tables.values()))
    return {
        name: {
            protocol: {column: round(value, 2) for column, value in row.items()}
            for protocol, row in table.items()
        }
        for name, table in tables.items()
    }


def separated(task: TaskRun) -> bool:
    """Whether the 95 % intervals of baseline and routed sub-net (linear) do not overlap."""
    low, high = task.networks["baseline"]["linear_interval"]
    low_sdr, high_sdr = task.networks["sdr"]["linear_interval"]
    return low_sdr > high or high_sdr < low


def signed(value: float) -> str:
    """`+1.20`, `−0.35` (a true minus), `0.00`."""
    text = f"{value:+.2f}".replace("-", "−")
    return text[1:] if float(f"{value:.2f}") == 0 else text


def percent(value: float | None) -> str:
    """`81.25`; a dash where nothing was measured, as raw pixels with several labels an image."""
    return "–" if value is None else f"{value:.2f}"


def markdown(tasks: list[TaskRun]) -> str:
    """The table for people, in Markdown."""
    if not tasks:
        return "No task in `params.yaml`: nothing was evaluated.\n"
    headings = [
        f"{name} {column}" for name in ("linear", "kNN") for column in ("baseline", "W_0", "SDR", "gain")
    ]
    lines = [
        _line(["task", "metric", *headings, "raw pixels", "chance"]),
        _line([":--", ":--", *["--:"] * 10]),
    ]
    for task in tasks:
        linear, knn = (_cells(scores(task)[protocol]) for protocol in PROTOCOLS)
        for column, network in enumerate(NETWORKS):
            low, high = task.networks[network]["linear_interval"]
            linear[column] += f" ({low:.1f}–{high:.1f})"
        context = [percent(task.meta["raw_knn"]), percent(task.meta["chance"])]
        lines.append(_line([task.name, _words(task.meta["metric"]), *linear, *knn, *context]))
    total = mean([scores(task) for task in tasks])
    lines.append(_line(["**mean**", "", *_cells(total["linear"]), *_cells(total["knn"]), "", ""]))
    lines += [
        "",
        "Test scores in per cent; in brackets the 95 % bootstrap interval of the test images. Baseline: "
        "one network of a sub-net's width, pre-trained on the whole corpus. W_0: the super-net. SDR: the "
        "sub-net that kNN on the training split chose. Gain: SDR minus baseline, in points. Raw pixels: "
        "5-NN on 32 × 32 pixels. One seed.",
    ]
    return "\n".join(lines) + "\n"


def print_table(tasks: list[TaskRun]) -> None:
    """Print the table on the terminal, without the intervals."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    if not tasks:
        print("No task in params.yaml: nothing was evaluated.")
        return
    table = Table(
        box=SIMPLE_HEAD,
        title="Test scores, %",
        title_justify="left",
        show_footer=True,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    total = mean([scores(task) for task in tasks])
    table.add_column("\ntask", footer="mean", overflow="fold")
    for protocol, name in zip(PROTOCOLS, ("linear", "kNN"), strict=True):
        for column, cell in zip(("base", "W_0", "SDR", "gain"), _cells(total[protocol]), strict=True):
            table.add_column(f"{name}\n{column}", footer=cell, justify="right", no_wrap=True)
    for task in tasks:
        row = scores(task)
        table.add_row(task.name, *_cells(row["linear"]), *_cells(row["knn"]))
    Console().print(table)


def _cells(row: dict[str, float]) -> list[str]:
    return [*(f"{row[network]:.2f}" for network in NETWORKS), signed(row["gain"])]


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _words(name: str) -> str:
    return name.replace("_", " ")
