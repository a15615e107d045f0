"""Training curves: the loss, the watch for collapse, and what the probe saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdr.report.style import Palette, legend_above, panel

if TYPE_CHECKING:
    import pandas as pd

LOSSES = {
    "simsiam": "negative cosine; −1 is the least",
    "byol": "squared distance; 0 is the least",
    "simclr": "NT-Xent; 0 is the least",
}
KNN = "knn_"  # and the name of a task: a column of the probe
BINS = 60  # points a curve is averaged to: sub-nets take turns, a single one is logged rarely


def draw_training(
    method: str,
    history: pd.DataFrame,
    history_sdr: pd.DataFrame,
    probe: pd.DataFrame,
    probe_sdr: pd.DataFrame,
    palette: Palette,
) -> Figure:
    """Panels over steps: SSL loss; spread of the projections (std over the batch, times √d); of the probe, if it looked, the
    effective rank, and if tasks were named kNN, the mean over them."""
    tasks = probed_tasks(probe)
    rows = 2 + bool(len(probe)) + bool(tasks)
    figure, (above, below, *more) = panel(2.2 * rows, rows)
    _curves(above, history.assign(ssl=history["loss"]), history_sdr, "ssl", palette)
    above.set_title(f"Loss ({LOSSES[method]})")
    _curves(below, history, history_sdr, "std", palette)
    below.axhline(1, color=palette.muted, linewidth=1, linestyle="--")
    below.set_ylim(bottom=0)
    below.set_title("Spread of the projections (1: healthy, 0: collapsed)")
    for axes, column in zip(more, ("rank", "knn")):
        both = [table.assign(knn=table.filter(like=KNN).mean(axis=1)) for table in (probe, probe_sdr)]
        _curves(axes, *both, column, palette)
        axes.set_title("Effective rank of the projections" if column == "rank" else f"kNN, % ({', '.join(tasks)})")
    figure.axes[-1].set_xlabel("step (dotted verticals: a new phase of SDR begins)")
    legend_above(figure, above)
    return figure


def probed_tasks(probe: pd.DataFrame) -> list[str]:
    """The tasks that kNN was tried on while training."""
    return [column.removeprefix(KNN) for column in probe.columns if column.startswith(KNN)]


def _curves(axes: Axes, history: pd.DataFrame, history_sdr: pd.DataFrame, column: str, palette: Palette) -> None:
    is_w0 = history_sdr["network"] == "W0"
    for label, rows, colour in (
        ("baseline", history, palette.baseline),
        ("super-net W₀", history_sdr[is_w0], palette.w0),
        ("sub-nets, mean and range", history_sdr[~is_w0], palette.sdr),
    ):
        if rows.empty:
            continue
        curve = binned(rows, column)
        axes.plot(curve["step"], curve["mean"], color=colour, label=label)
        if colour == palette.sdr:
            axes.fill_between(curve["step"], curve["min"], curve["max"], color=colour, alpha=0.18, linewidth=0)
    for start in history_sdr.groupby("phase")["step"].min().iloc[1:]:
        axes.axvline(start, color=palette.muted, linewidth=0.8, linestyle=":")
    axes.grid(axis="y")


def binned(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean, least and greatest value of `column` in at most `BINS` equal spans of steps, at the mean step."""
    import pandas as pd

    bins = pd.cut(rows["step"], min(BINS, rows["step"].nunique()), labels=False)
    grouped = rows.groupby(bins)
    return grouped[column].agg(["mean", "min", "max"]).assign(step=grouped["step"].mean())
