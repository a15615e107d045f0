"""Scores against compute: the baseline and SDR at several budgets."""

import re

from matplotlib.figure import Figure

from sdr.experiments.comparison import Comparison, RowResult
from sdr.report.style import Palette, legend_above, panel

_TITLES = {"linear": "Linear, mean over tasks, %", "knn": "kNN, mean over tasks, %"}
_BESIDE = 1.05  # seeds stand beside their mean, times


def curve_of(row: RowResult) -> str | None:
    """The curve that a row is a point of, which its name begins with: `SDR, 34 epochs`; None if it does not."""
    match = re.fullmatch(r"(baseline|SDR), [\d.]+ epochs", row.row.name)
    return match[1] if match else None


def points(rows: list[RowResult], curve: str, protocol: str) -> list[tuple[float, RowResult]]:
    """Multiply-adds in all, 10¹², of each measured row of a curve, in their order."""
    of_curve = [row for row in rows if curve_of(row) == curve and row.scores[protocol].n]
    return sorted(((row.cost["teramacs_in_all"] or 0.0, row) for row in of_curve), key=lambda point: point[0])


def draw_curves(found: Comparison, palette: Palette) -> Figure:
    """Means (marks), their 95 % intervals over seeds (lines), single seeds (dots); compute on a logarithmic axis."""
    figure, panels = panel(5.0, len(_TITLES))
    looks = {"baseline": (palette.baseline, "s-"), "SDR": (palette.sdr, "o-")}
    for axes, (protocol, title) in zip(panels, _TITLES.items()):
        for curve, (colour, shape) in looks.items():
            shown = points(found.rows, curve, protocol)
            if not shown:
                continue
            for x, row in shown:
                seeds = list(row.scores[protocol].values.values())
                axes.plot([x * _BESIDE] * len(seeds), seeds, "o", color=palette.dots, markersize=2.5)
            samples = [row.scores[protocol] for _, row in shown]
            reach = [s.reach or 0.0 for s in samples]
            look = {"fmt": shape, "color": colour, "markersize": 5, "elinewidth": 1.4, "label": curve}
            axes.errorbar([x for x, _ in shown], [s.mean for s in samples], yerr=reach, **look)
        axes.set_title(title)
        axes.set_xscale("log")
        axes.grid()
    panels[-1].set_xlabel("multiply-adds of training in all, 10¹²")
    legend_above(figure, panels[0], 2)
    return figure
