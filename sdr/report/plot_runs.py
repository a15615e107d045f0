"""When the stages ran: a row a stage, a bar a run."""

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sdr.base.run_log import StageRun
from sdr.report.runs import PARTS, name_of, position, stretches
from sdr.report.style import Palette, panel
from sdr.report.units import duration

_UNITS = ((3 * 3600.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))  # from so many seconds
_APART = 0.16  # share of the width between two dates, at least


def draw_runs(runs: list[StageRun], palette: Palette) -> Figure:
    """Bars over time, the long breaks cut out; runs of the tasks of a stage share its row, with their sum.

    Args:
        runs: one at least, in the order in which they started.
    """
    by_name: dict[str, list[StageRun]] = {}
    for name in (name for stages in PARTS.values() for name in stages):
        if of_name := [run for run in runs if name_of(run) == name]:
            by_name[name] = of_name
    figure, (axes,) = panel(1.25 + 0.23 * len(by_name))
    parts = [part for part, stages in PARTS.items() if by_name.keys() & set(stages)]
    colours = dict(zip(PARTS, palette.domains, strict=False))
    found = stretches(runs)
    total = max(1.0, found[-1].offset + (found[-1].end - found[-1].start).total_seconds())
    unit, label = next((unit, label) for least, unit, label in _UNITS if total >= least)
    for row, (name, of_name) in enumerate(by_name.items()):
        colour = next(colours[part] for part in parts if name in PARTS[part])
        for run in of_name:
            start = position(run.started, found) / unit
            fill = colour if run.status == "ok" else "none"
            # The edge keeps a run of a second visible beside one of an hour.
            axes.broken_barh([(start, run.seconds / unit)], (row - 0.32, 0.64), facecolor=fill, edgecolor=colour)
        text = duration(sum(run.seconds for run in of_name))
        text += f", {len(of_name)} runs" if len(of_name) > 1 else ""
        axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), va="center", color=palette.muted, fontsize=8.5)
    dated = -1.0
    for stretch in found:
        x = stretch.offset / total
        if stretch is not found[0]:
            axes.axvline(stretch.offset / unit, color=palette.muted, linewidth=0.8, linestyle=":")
        if x - dated >= _APART and x <= 1 - _APART / 2:
            moment = stretch.start.strftime("%d %b\n%H:%M")
            axes.text(x, 1.01, moment, transform=axes.transAxes, color=palette.muted, fontsize=8, va="bottom")
            dated = x
    axes.set_yticks(range(len(by_name)), list(by_name))
    axes.set_ylim(len(by_name) - 0.4, -0.6)
    axes.set_xlim(0, total / unit)
    axes.set_xlabel(f"{label} of running time" + (" (dotted: a break is cut out)" if len(found) > 1 else ""))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    handles = [Patch(color=colours[part], label=part) for part in parts]
    if any(run.status != "ok" for run in runs):
        handles.append(Patch(facecolor="none", edgecolor=palette.muted, label="did not finish"))
    figure.legend(handles=handles, loc="outside upper left", ncols=5, columnspacing=1.2, handlelength=1)
    return figure
