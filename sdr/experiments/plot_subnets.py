"""kNN and compute against the number of sub-nets, ours and the paper's (paper, Table 4)."""

import re

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdr.experiments.comparison import Comparison, RowResult
from sdr.report.style import Palette, panel

_BESIDE = 1.09  # seeds stand beside their mean, times


def number_of(row: RowResult) -> int | None:
    """Sub-nets of a row, which its name begins with: `16 sub-nets`; None if it does not."""
    match = re.match(r"(\d+) sub-nets?\b", row.row.name)
    return int(match[1]) if match else None


def draw_subnets(found: Comparison, palette: Palette) -> Figure:
    """Mean kNN with std and single seeds; the paper's, or linear where there is none; compute as multiples of one sub-net's."""
    figure, (ours, middle, compute) = panel(6.4, 3)
    numbers = [number_of(row) for row in found.rows]
    _ours(ours, numbers, found.rows, "knn", palette)
    if any(row.paper for row in found.rows):
        paper = [row.paper.get("knn") for row in found.rows]
        _line(middle, numbers, paper, "D-", palette.w0, markerfacecolor=palette.paper)
        middle.set_title("Paper: kNN, mean over eleven tasks, %")
        _same_span(ours, middle)
    else:
        _ours(middle, numbers, found.rows, "linear", palette)
    look = {"label": "ours: multiply-adds, the baseline's among them"}
    _line(compute, numbers, [row.times["teramacs_in_all"] for row in found.rows], "s-", palette.sdr, **look)
    first = found.reference.paper.get("hours")
    hours = [row.paper["hours"] / first if first and "hours" in row.paper else None for row in found.rows]
    _line(compute, numbers, hours, "D-", palette.w0, markerfacecolor=palette.paper, label="paper: GPU-hours")
    compute.set_title(f"Training, times that of {found.reference.row.name}")
    compute.set_ylim(bottom=0)
    if compute.get_legend_handles_labels()[0]:
        compute.legend(loc="lower right")
    for axes in (ours, middle, compute):
        axes.set_xscale("log", base=2)
        axes.set_xlim(min(numbers) / 1.3, max(numbers) * 1.3)
        axes.set_xticks(numbers, numbers)
        axes.minorticks_off()
        axes.grid()
    compute.set_xlabel("sub-nets")
    return figure


def _ours(axes: Axes, numbers: list[int], rows: list[RowResult], protocol: str, palette: Palette) -> None:
    measured = [(n, row.scores[protocol]) for n, row in zip(numbers, rows) if row.scores[protocol].n]
    for n, sample in measured:
        seeds = list(sample.values.values())
        axes.plot([n * _BESIDE] * len(seeds), seeds, "o", color=palette.dots, markersize=3)
    means, whiskers = [sample.mean for _, sample in measured], [sample.std or 0.0 for _, sample in measured]
    axes.errorbar([n for n, _ in measured], means, yerr=whiskers, fmt="s-", color=palette.sdr, markersize=5)
    axes.set_title(f"Ours: {'kNN' if protocol == 'knn' else protocol}, mean over tasks, %")


def _line(axes: Axes, numbers: list[int], values: list[float | None], shape: str, colour: str, **look) -> None:
    """Draw what there is of a curve."""
    shown = [(n, value) for n, value in zip(numbers, values) if value is not None]
    if shown:
        axes.plot(*zip(*shown), shape, color=colour, markersize=5, **look)


def _same_span(*panels: Axes) -> None:
    """As many points from bottom to top in each: slopes can be compared."""
    limits = [axes.get_ylim() for axes in panels]
    half = max(high - low for low, high in limits) / 2
    for axes, (low, high) in zip(panels, limits):
        axes.set_ylim((low + high) / 2 - half, (low + high) / 2 + half)
