"""Scores of a few rows on each task, and their differences to the reference (paper, Fig. 1b)."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdr.experiments.comparison import Comparison, RowResult
from sdr.experiments.paired import Sample
from sdr.report.style import Palette, legend_above, panel

_SHAPES = ("o", "s", "D", "^", "v", "P", "X")
_SPAN = 0.64  # of the distance of two tasks that a task's marks take


def draw_parts(found: Comparison, palette: Palette) -> Figure:
    """Linear scores (above) and differences to the reference (below) of each row on each task; lines: ± std over seeds."""
    figure, (scores, differences) = panel(1.2 + 0.9 * len(found.task_names), 2)
    for i, row in enumerate(found.rows):
        look = _look(found.rows, i, palette)
        shift = _SPAN * (i / max(1, len(found.rows) - 1) - 0.5)
        _series(scores, [row.tasks["linear"][task] for task in found.task_names], shift, row.row.name, look)
        if not row.is_reference:
            of_tasks = row.against["linear"].tasks
            _series(differences, [of_tasks[task].sample for task in found.task_names], shift, row.row.name, look)
    differences.axhline(0, color=palette.baseline, linewidth=1.2, zorder=1)
    scores.set_ylabel("linear, %")
    differences.set_ylabel(f"minus “{found.reference.row.name}”, points")
    for axes in (scores, differences):
        axes.set_xticks(range(len(found.task_names)), found.task_names)
        axes.set_xlim(-0.5, len(found.task_names) - 0.5)
        axes.grid(axis="y")
        axes.tick_params(axis="x", length=0)
    if len(found.task_names) > 6:
        for axes in (scores, differences):
            axes.tick_params(axis="x", rotation=40)
    legend_above(figure, scores, 3)
    return figure


def _series(axes: Axes, samples: list[Sample], shift: float, label: str, look: dict) -> None:
    shown = [(task + shift, sample) for task, sample in enumerate(samples) if sample.n]
    axes.errorbar(
        [x for x, _ in shown],
        [s.mean for _, s in shown],
        yerr=[s.std or 0.0 for _, s in shown],
        linestyle="none",
        markersize=5,
        elinewidth=1.4,
        label=label,
        **look,
    )


def _look(rows: list[RowResult], i: int, palette: Palette) -> dict:
    """Colour by the part of the corpus that a row is trained on; hollow where it is given as many steps as the reference."""
    row = rows[i].row
    parts = list(dict.fromkeys(r.row.set["pretrain.part"] for r in rows if "pretrain.part" in r.row.set))
    part = row.set.get("pretrain.part")
    colours = (palette.w0, palette.sdr, *palette.domains)
    colour = palette.baseline if part is None else colours[parts.index(part) % len(colours)]
    shape = _SHAPES[0 if part is None else 1 + parts.index(part) % (len(_SHAPES) - 1)]
    hollow = "pretrain.epoch" in row.set
    return {"color": colour, "fmt": shape, "markerfacecolor": palette.paper if hollow else colour}
