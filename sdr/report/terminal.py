"""The result tables on the terminal."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sdr.report.difference import Difference
from sdr.report.run import DetectionRun, TaskRun
from sdr.report.tables import DETECTION, LABELS, PROTOCOLS, Scores, cells, mean, percent, raw_linear, scores, signed
from sdr.report.verdicts import Verdict


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


def print_verdicts(verdicts: list[Verdict]) -> None:
    """Print what is said of each task, then what to take and where it lies; networks below raw pixels are flagged.

    Two tables, since one would be wider than a terminal.
    """
    how = {"box": SIMPLE_HEAD, "title_justify": "left", "pad_edge": False, "padding": (0, 1, 0, 0)}
    said, take = Table(title="Verdicts", **how), Table(title="What to take", **how)
    said.add_column("task", overflow="fold")
    said.add_column("verdict")
    said.add_column("promised, points", justify="right", no_wrap=True)
    said.add_column("test, points", justify="right", no_wrap=True)
    for heading in ("task", "folder", "network"):
        take.add_column(heading, overflow="fold", no_wrap=heading == "folder")
    colours = {"take": "green", "supernet": "blue", "none": "dim"}
    for verdict in verdicts:
        words = Text(verdict.words, style=colours[verdict.kind])
        if verdict.below_raw:
            words.append("\nBELOW RAW PIXELS: " + ", ".join(verdict.below_raw), style="bold red")
        said.add_row(Text(verdict.task), words, _points(verdict.promise), _points(verdict.difference))
        take.add_row(Text(verdict.task), Text(verdict.folder), Text(verdict.network))
    Console().print(said)
    if any(verdict.is_of_another for verdict in verdicts):
        print("Points are those of routing's choice over the baseline, also where it is not to be taken.\n")
    Console().print(take)


def _points(found: Difference | None) -> str:
    return "–" if found is None else f"{signed(found.mean)} ({signed(found.low)} to {signed(found.high)})"


def print_next(page: Path, verdicts: list[Verdict]) -> None:
    """Print what to do next."""
    print(f"next: open {page} in a browser")
    if verdicts:
        print(f"next: load a network in Python with {verdicts[0].line}")


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
