"""Gains of all sub-nets over the baseline (paper, Fig. 4): per task, as a histogram, along the paths."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from sdr.report.run import TaskRun, groups_of
from sdr.report.style import Palette, legend_above, panel

SCORES = {"knn": "kNN", "logme": "LogME", "hscore": "H-score"}


def draw_gains(tasks: list[TaskRun], palette: Palette) -> Figure:
    """Per task, gains of all sub-nets (dots; box: quartiles), of W_0 (diamond, if it was trained) and of the best (square)."""
    figure, (axes,) = panel(0.85 + 0.5 * len(tasks))
    jitter = np.random.default_rng(0)
    axes.axvline(0, color=palette.baseline, linewidth=1.2, zorder=1)
    for row, task in enumerate(tasks):
        gain = task.ranking["gain"].dropna().to_numpy()
        lines = {part: {"color": palette.muted} for part in ("boxprops", "whiskerprops")}
        lines |= {"medianprops": {"color": palette.ink}, "capprops": {"visible": False}}
        axes.boxplot(gain, positions=[row], orientation="horizontal", widths=0.6, whis=(0, 100), zorder=3, **lines)
        spread = row + jitter.uniform(-0.2, 0.2, len(gain)) * (len(gain) > 1)
        label = "sub-net" if row == 0 else None
        axes.scatter(gain, spread, s=12, color=palette.dots, linewidth=0, zorder=2, label=label)
    rows = range(len(tasks))
    w0 = [w0_gain(task) for task in tasks]
    best = [task.best["gain"] for task in tasks]
    if None not in w0:
        axes.plot(w0, rows, "D", color=palette.w0, markersize=6, zorder=4, label="super-net W₀")
    axes.plot(best, rows, "s", color=palette.sdr, markersize=6, zorder=5, label="best sub-net")
    axes.set_yticks(rows, [task.name for task in tasks])
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.set_xlabel(f"{gain_of(tasks[0])} on training images")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    legend_above(figure, axes)
    return figure


def draw_histogram(task: TaskRun, palette: Palette) -> Figure:
    """How many sub-nets have which gain on one task (paper, Fig. 4b)."""
    figure, (axes,) = panel(2.5)
    gain = task.ranking["gain"].dropna().to_numpy()
    axes.hist(gain, bins=int(np.clip(2 * np.sqrt(len(gain)), 6, 40)), color=palette.dots, edgecolor=palette.paper)
    axes.axvline(0, color=palette.baseline, label="baseline")
    if (w0 := w0_gain(task)) is not None:
        axes.axvline(w0, color=palette.w0, linestyle="--", label="super-net W₀")
    axes.axvline(task.best["gain"], color=palette.sdr, label="best sub-net")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel(f"{gain_of(task)} on training images")
    axes.set_ylabel("sub-nets")
    legend_above(figure, axes)
    return figure


def draw_paths(tasks: list[TaskRun], palette: Palette) -> Figure:
    """The tree of paths of each task: a row a stage, a cell a prefix, coloured by the mean gain below it."""
    levels = [tree(task) for task in tasks]
    figure, panels = panel(0.95 + len(tasks) * (0.4 + 0.22 * len(levels[0])), len(tasks))
    extreme = max(1e-6, max(task.ranking["gain"].abs().max() for task in tasks))
    norm = TwoSlopeNorm(0, -extreme, extreme)
    colours = LinearSegmentedColormap.from_list("gain", [palette.w0, palette.zero, palette.sdr])
    for axes, task, rows in zip(panels, tasks, levels, strict=True):
        _draw_tree(axes, task, rows, norm, colours, palette)
    panels[-1].set_xlabel("sub-net, in order of its path")
    scale = figure.colorbar(
        ScalarMappable(norm, colours), ax=panels, location="top", aspect=45, pad=0.1 / figure.get_figheight()
    )
    scale.set_label(f"mean {gain_of(tasks[0])}", color=palette.muted)
    scale.outline.set_visible(False)
    return figure


def tree(task: TaskRun) -> list[tuple[int, list[tuple[int, int, float]]]]:
    """Levels of the tree of paths that branch: (stage, cells), a cell is (first sub-net, width, mean gain).

    Stages in which all sub-nets take the same group are left out, except that the last stage always stays.
    """
    ordered = task.ranking.sort_values("subnet")
    paths = [groups_of(path) for path in ordered["path"]]
    gain = ordered["gain"].to_numpy()
    levels = []
    for stage in range(1, len(paths[0]) + 1):
        starts = [i for i, path in enumerate(paths) if i == 0 or path[:stage] != paths[i - 1][:stage]]
        if len(starts) > 1 or stage == len(paths[0]):
            ends = [*starts[1:], len(paths)]
            cells = [(a, b - a, _mean(gain[a:b])) for a, b in zip(starts, ends, strict=True)]
            levels.append((stage, cells))
    return levels


def _mean(gain: np.ndarray) -> float:
    """The mean over the sub-nets that were tried; NaN, drawn as a gap, if none was."""
    return float(np.nanmean(gain)) if np.isfinite(gain).any() else float("nan")


def gain_of(task: TaskRun) -> str:
    """What a gain is a gain of: the score that routing used, and its unit."""
    return f"{SCORES[task.route['score']]} gain over the baseline" + (
        ", points" if task.route["score"] == "knn" else ""
    )


def w0_gain(task: TaskRun) -> float | None:
    """Gain of the super-net over the baseline on the training split, points; None if it was never trained."""
    return None if task.route["w0"] is None else task.route["w0"] - task.route["baseline"]


def _draw_tree(axes: Axes, task: TaskRun, levels: list, norm, colours, palette: Palette) -> None:
    n, best = len(task.ranking), int(task.route["subnet"])
    gain = [np.repeat([g for *_, g in cells], [width for _, width, _ in cells]) for _, cells in levels]
    axes.imshow(gain, cmap=colours, norm=norm, aspect="auto", interpolation="nearest", extent=(0, n, len(levels), 0))
    axes.hlines(range(1, len(levels)), 0, n, color=palette.paper, linewidth=1.2)
    for row, (_, cells) in enumerate(levels):
        if len(cells) <= 32:  # more would be all borders
            axes.vlines([start for start, *_ in cells], row, row + 1, color=palette.paper, linewidth=1.2)
    axes.plot(best + 0.5, len(levels) + 0.25, "^", color=palette.ink, markersize=5, clip_on=False)
    axes.set_xlim(0, n)
    axes.set_ylim(len(levels), 0)
    axes.set_title(f"{task.name}: best sub-net {best}, path {task.best['path']}")
    axes.set_yticks(np.arange(len(levels)) + 0.5, [f"stage {stage}" for stage, _ in levels])
    shown = np.arange(0, n, max(1, n // 16))
    axes.set_xticks(shown + 0.5, shown if axes.get_subplotspec().is_last_row() else [])
    axes.tick_params(length=0, labelsize=8)
    axes.tick_params(axis="x", pad=10)
    axes.spines[:].set_visible(False)
