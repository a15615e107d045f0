"""Multiply-adds: of routing against the number of sub-nets, of training over the baseline's."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from sdr.report.cost import Cost
from sdr.report.style import Palette, legend_above, panel
from sdr.report.units import decimal, macs_unit


def draw_cost(cost: Cost, palette: Palette) -> Figure:
    """Two panels: embedding one task image with n sub-nets; training on one image, as multiples."""
    figure, (above, below) = panel(4.6, 2)
    _routing(above, cost, palette)
    _training(below, cost, palette)
    legend_above(figure, above)
    return figure


def _routing(axes: Axes, cost: Cost, palette: Palette) -> None:
    n = [row.n for row in cost.routing]
    unit, letter = macs_unit(cost.routing[0].exhaustive)
    axes.axvline(cost.n_subnets, color=palette.muted, linestyle=":", label=f"this run: {cost.n_subnets}")
    axes.plot(n, [row.exhaustive / unit for row in cost.routing], "o-", color=palette.baseline, label="exhaustive")
    axes.plot(n, [row.tree / unit for row in cost.routing], "s-", color=palette.sdr, label="tree")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(n, n)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: decimal(value, 0 if value >= 1 else 1)))
    axes.grid()
    axes.set_xlabel("sub-nets")
    axes.set_title(f"Routing: multiply-adds for one task image, {letter}")


def _training(axes: Axes, cost: Cost, palette: Palette) -> None:
    rows = {
        "baseline": (cost.baseline, palette.baseline),
        "super-net W₀": (cost.w0, palette.w0),
        "sub-net, with teacher": (cost.subnet, palette.sdr),
        "SDR, expected mean": (cost.training(cost.n_subnets), palette.dots),
    }
    times = [macs / cost.baseline for macs, _ in rows.values()]
    bars = axes.barh(range(len(rows)), times, height=0.6, color=[colour for _, colour in rows.values()])
    axes.bar_label(bars, [f"{value:.2f}" for value in times], padding=4)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Training: multiply-adds for one image, baseline = 1")
