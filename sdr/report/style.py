"""How figures look: one palette for light pages and one for dark ones, the same sizes for all."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 5.2  # inches: small enough that 9-point text is still readable on a telephone
DPI = 200


@dataclass(frozen=True)
class Palette:
    """Colours of a page; the networks keep theirs in every figure (colour-blind readers tell them apart)."""

    paper: str
    ink: str
    muted: str
    grid: str
    baseline: str
    w0: str
    sdr: str
    dots: str
    zero: str
    """Middle of a diverging scale."""
    domains: tuple[str, ...]


_DOMAINS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866")  # after Paul Tol
LIGHT = Palette(
    "#ffffff",
    "#1c1e21",
    "#5d6470",
    "#e3e5e9",
    "#5d6470",
    "#0072b2",
    "#d55e00",
    "#9aa2af",
    "#f4f1ea",
    _DOMAINS,
)
DARK = Palette(
    "#16181c",
    "#e6e7ea",
    "#a0a6b1",
    "#33373e",
    "#b4bac5",
    "#56b4e9",
    "#f08a3c",
    "#70798a",
    "#2c3037",
    _DOMAINS,
)

Draw = Callable[[Palette], Figure]


def render(draw: Draw, palette: Palette) -> bytes:
    """Draw a figure in a palette and return it as PNG."""
    settings = {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": palette.paper,
        "axes.edgecolor": palette.muted,
        "axes.labelcolor": palette.muted,
        "axes.titlecolor": palette.ink,
        "axes.axisbelow": True,
        "text.color": palette.ink,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "xtick.labelcolor": palette.ink,
        "ytick.labelcolor": palette.ink,
        "grid.color": palette.grid,
        "grid.linewidth": 0.8,
        "figure.facecolor": palette.paper,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.4,
        "savefig.dpi": DPI,
    }
    with matplotlib.rc_context(settings):
        buffer = io.BytesIO()
        draw(palette).savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


def panel(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of the common width with `rows` axes below one another; height in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, 1, squeeze=False)[:, 0]
    return figure, list(axes)


def legend_above(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """Put the legend of `axes` above the figure, clear of the data."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, columnspacing=1.4, handletextpad=0.5)
