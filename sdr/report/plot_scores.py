"""Test scores of our networks per task, with their 95 % intervals."""

from matplotlib.figure import Figure

from sdr.report.run import TaskRun
from sdr.report.style import Palette, legend_above, panel

LABELS = {"baseline": "baseline", "w0": "super-net W₀", "sdr": "SDR choice"}
MARKERS = {"baseline": "o", "w0": "D", "sdr": "s"}
SHIFT = {"baseline": -0.22, "w0": 0.0, "sdr": 0.22}


def draw_scores(tasks: list[TaskRun], palette: Palette) -> Figure:
    """Linear test scores of the networks (marks), 95 % intervals (lines) and chance (|), per task."""
    figure, (axes,) = panel(0.75 + 0.62 * len(tasks))
    for network, label in LABELS.items():
        if network not in tasks[0].networks:
            continue
        found = [task.networks[network] for task in tasks]
        rows = [row + SHIFT[network] for row in range(len(tasks))]
        low, high = zip(*(evaluation["linear_interval"] for evaluation in found), strict=True)
        colour = getattr(palette, network)
        axes.hlines(rows, low, high, color=colour, linewidth=2.2, alpha=0.55)
        axes.plot([e["linear"] for e in found], rows, MARKERS[network], color=colour, markersize=5, label=label)
    chance = [task.meta["chance"] for task in tasks]
    axes.plot(chance, range(len(tasks)), "|", color=palette.muted, markersize=16, label="chance")
    axes.set_yticks(range(len(tasks)), [task.name for task in tasks])
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.set_xlabel("linear test score, %")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    legend_above(figure, axes)
    return figure
