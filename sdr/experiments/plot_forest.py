"""Differences of all rows to the reference, with intervals: one panel a protocol."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdr.experiments.comparison import Comparison, RowResult
from sdr.report.style import WIDTH, Palette
from sdr.report.tables import signed

LABELS = {"linear": "Δ linear, points", "knn": "Δ kNN, points"}
_NAME = 24  # characters of a row's name on a line
_APART = 0.62  # of a line: seeds below the mean, the paper above it
_FAR = 4.0  # a mark this many times as far out as the median row's would squeeze the others into a line


def draw_forest(found: Comparison, palette: Palette) -> Figure:
    """Mean differences (squares), 95 % intervals (lines), single seeds (dots), the paper's (hollow diamonds)."""
    rows = [row for row in found.rows if not row.is_reference]
    names = [textwrap.fill(row.row.name, _NAME) for row in rows]
    lines = sum(max(2, 1 + name.count("\n")) for name in names)
    figure = Figure(figsize=(WIDTH, 1.1 + 0.2 * lines), layout="constrained")
    panels = figure.subplots(1, len(LABELS), sharey=True)
    heights = np.array([max(2, 1 + name.count("\n")) for name in names])
    places = np.cumsum(heights) - heights / 2  # a row's height follows its name's
    limit = max(reach(rows, protocol) for protocol in LABELS)  # points in both panels
    for axes, protocol in zip(panels, LABELS):
        _draw(axes, rows, places, protocol, limit, palette)
        axes.set_ylim(heights.sum(), 0)
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0, labelsize=8)
    labels: dict = {}
    for axes in panels:
        labels = dict(zip(*reversed(axes.get_legend_handles_labels()))) | labels
    figure.legend(
        labels.values(),
        labels.keys(),
        loc="outside upper left",
        ncols=4,
        columnspacing=1.2,
        handletextpad=0.4,
    )
    return figure


def _draw(axes: Axes, rows: list[RowResult], places: np.ndarray, protocol: str, limit: float, palette: Palette) -> None:
    axes.set_xlim(-limit, limit)
    axes.axvline(0, color=palette.baseline, linewidth=1.2, zorder=1)
    for row, place in zip(rows, places):
        found = row.against[protocol].difference
        if found.interval and abs(found.sample.mean) <= limit:
            axes.hlines(place, *found.interval, color=palette.sdr, linewidth=2.2, alpha=0.55, label="95 % interval")
        seeds = list(found.sample.values.values())
        if len(seeds) > 1:
            _mark(axes, seeds, place + _APART, limit, "o", color=palette.dots, markersize=3, label="one seed")
        if seeds:
            mean = found.sample.mean
            _mark(axes, [mean], place, limit, "s", color=palette.sdr, markersize=5, zorder=4, label="mean")
        else:
            axes.text(0.02 * limit, place, "not measured", color=palette.muted, fontsize=7.5, va="center")
        if protocol in row.paper_difference:
            hollow = {"markerfacecolor": palette.paper, "markeredgecolor": palette.w0, "zorder": 3}
            paper = [row.paper_difference[protocol]]
            _mark(axes, paper, place - _APART, limit, "D", markersize=4.5, label="paper", **hollow)
    axes.set_xlabel(LABELS[protocol])
    axes.grid(axis="x")


def _mark(axes: Axes, values: list[float], place: float, limit: float, shape: str, **look) -> None:
    """Draw marks; one beyond the axis stands at its end, with its number."""
    inside = [value for value in values if abs(value) <= limit]
    axes.plot(inside, [place] * len(inside), shape, linestyle="none", **look)
    for value in set(values) - set(inside):
        if shape != "o":
            side = np.sign(value)
            axes.annotate(
                f"{'◂ ' if side < 0 else ''}{signed(value)}{' ▸' if side > 0 else ''}",
                (side * limit, place),
                ha="left" if side < 0 else "right",
                va="center",
                fontsize=7,
                color=look.get("color", look.get("markeredgecolor")),
            )


def reach(rows: list[RowResult], protocol: str) -> float:
    """How far the axis goes to both sides, points: to all marks but those far out, half a point at least."""
    furthest = []
    for row in rows:
        found = row.against[protocol].difference
        if ours := [*found.sample.values.values(), *(found.interval or ())]:
            furthest.append(max(map(abs, ours)))
        if protocol in row.paper_difference:
            furthest.append(abs(row.paper_difference[protocol]))
    most = max(_FAR * float(np.median(furthest)), 0.5) if furthest else 0.5
    return 1.08 * max([0.5, *(value for value in furthest if value <= most)])
