"""The result tables on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sdr.report.run import DetectionRun, TaskRun
from sdr.report.tables import (
    DETECTION,
    LABELS,
    PROTOCOLS,
    Scores,
    below_raw,
    cells,
    mean,
    percent,
    raw_linear,
    scores,
    signed,
)


def print_detection(sets: list[DetectionRun]) -> None:
    """Print average precisions on the terminal: a row a network and set."""
    table = Table(box=SIMPLE_HEAD, title="Detection, test AP, %", title_justify="left", pad_edge=False)
    for heading in ("set", "network"):
        table.add_column(heading, overflow="fold")
    for heading in ("AP", "AP50", "AP75", "iterations"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found in sets:
        for network, result in found.networks.items():
            precisions = [percent(result[metric]) for metric in DETECTION]
            table.add_row(found.name, network, *precisions, str(result["iterations"]))
    Console().print(table)


def print_others(tables: dict[str, Scores]) -> None:
    """Print the scores of other backbones on the terminal: a row a backbone, a column a task and their mean.

    Args:
        tables: task → its scores, as `other_scores` gives them.
    """
    columns = tables | {"mean": mean(list(tables.values()))}
    for protocol, name in zip(PROTOCOLS, ("linear", "kNN"), strict=True):
        title = f"Other backbones, {name}, test scores, %"
        table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("backbone", overflow="fold")
        for task in columns:
            table.add_column(task, justify="right", no_wrap=True)
        for network in columns["mean"][protocol]:
            table.add_row(network, *(percent(scores[protocol][network]) for scores in columns.values()))
        Console(width=max(Console().width, 24 + 13 * len(columns))).print(table)  # a table of eleven tasks is wide


def print_table(tasks: list[TaskRun]) -> None:
    """Print the table on the terminal, without the intervals."""
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
    raw = "w0" not in tasks[0].networks  # with W_0 too it would be wider than 80 columns
    total = mean([scores(task) for task in tasks])
    table.add_column("\ntask", footer="mean", overflow="fold")
    for protocol, name in zip(PROTOCOLS, ("linear", "kNN"), strict=True):
        for column, cell in zip(total[protocol], cells(total[protocol]), strict=True):
            heading = "base" if column == "baseline" else LABELS[column]
            table.add_column(f"{name}\n{heading}", footer=cell, justify="right", no_wrap=True)
        if raw:
            table.add_column(f"{name}\nraw", justify="right", no_wrap=True)
    for task in tasks:
        row, pixels = scores(task), {"linear": raw_linear(task), "knn": task.meta["raw_knn"]}
        found = ([*cells(row[protocol]), *([percent(pixels[protocol])] if raw else [])] for protocol in PROTOCOLS)
        table.add_row(task.name, *(cell for each in found for cell in each))
    Console().print(table)


def print_choices(tasks: list[TaskRun]) -> None:
    """Print what routing took for each task, what that promises, and where it lies."""
    table = Table(box=SIMPLE_HEAD, title="What to take", title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("task", "network", "promised gain, points", "verdict"):
        table.add_column(heading, overflow="fold")
    for task in tasks:
        gain = task.route["gain"]
        promise = f"{signed(gain['mean'])} ({signed(gain['low'])} to {signed(gain['high'])})" if gain else "–"
        table.add_row(task.name, task.route["choice"]["name"], promise, task.route["verdict"])
    Console().print(table)
    for task in tasks:
        if below := below_raw(task):
            print(f"{task.name}: below raw pixels in {' and '.join(below)}")
    if tasks:
        print(f'next: timm.create_model("local-dir:{tasks[0].folder}", pretrained=True); each task has such a folder')
