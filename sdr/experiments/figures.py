"""Which figure each set of experiments has, what it shows, and does not show."""

from functools import partial

from sdr.experiments.comparison import Comparison
from sdr.experiments.plot_curves import curve_of, draw_curves
from sdr.experiments.plot_forest import LABELS, draw_forest
from sdr.experiments.plot_parts import draw_parts
from sdr.experiments.plot_subnets import draw_subnets, number_of
from sdr.report.pictures import Drawing
from sdr.report.tables import signed


def figure_of(found: Comparison) -> Drawing | None:
    """The figure of a set; None if nothing of it, or only its reference, has been measured."""
    if not any(row.seeds for row in found.rows if not row.is_reference):
        return None
    if any("pretrain.part" in row.row.set for row in found.rows) and found.task_names:
        return _parts(found)
    if all(curve_of(row) for row in found.rows):
        return _curves(found)
    if all(number_of(row) for row in found.rows):
        return _subnets(found)
    return _forest(found)


def _parts(found: Comparison) -> Drawing:
    said = [
        f"{row.row.name}: " + ", ".join(f"{t} {s.mean:.1f} %" for t, s in row.tasks["linear"].items() if s.n)
        for row in found.rows
    ]
    return Drawing(
        found.name,
        "Linear scores on each task",
        "Linear scores on each task. " + "; ".join(said),
        "Above: linear score of each row on each task, as the paper’s Fig. 1(b). Below: the same minus the reference’s, "
        "seed by seed. A mark above the line is a task on which less pre-training data was more: negative transfer. "
        "Full marks: trained for as many epochs as the reference, so fewer steps; hollow: as many steps. "
        "Lines: ± one standard deviation over the seeds, not an interval of the mean. "
        "The paper’s tasks and corpus are others.",
        partial(draw_parts, found),
    )


def _subnets(found: Comparison) -> Drawing:
    said = [f"{row.row.name} {row.scores['knn'].mean:.2f} %" for row in found.rows if row.scores["knn"].n]
    middle = "Middle: linear, as above. "
    if any(row.paper for row in found.rows):
        middle = "Middle: the paper’s Table 4, one run each, other tasks: compare the shapes, not the heights; both axes span as many points. "
    return Drawing(
        found.name,
        "kNN by number of sub-nets",
        "kNN by number of sub-nets: " + ", ".join(said),
        "Number of sub-nets on a logarithmic axis. Above: ours, mean over tasks and seeds; lines: ± one standard "
        f"deviation over the seeds, which are the faint dots. {middle}Below: multiply-adds of training (counted) against the paper’s GPU-hours "
        "(measured), each as a multiple of one sub-net’s, the baseline.",
        partial(draw_subnets, found),
    )


def _curves(found: Comparison) -> Drawing:
    said = [
        f"{row.row.name} {row.scores['linear'].mean:.2f} and {row.scores['knn'].mean:.2f} %"
        for row in found.rows
        if row.scores["linear"].n and row.scores["knn"].n
    ]
    return Drawing(
        found.name,
        "Linear and kNN by compute",
        "Linear and kNN by compute: " + "; ".join(said),
        "Multiply-adds of training, counted, on a logarithmic axis: of SDR its baseline’s are among them. Marks: mean over tasks and "
        "seeds; lines: its 95 % interval over the seeds by t; faint dots: single seeds. Both curves are of the same seeds, whose "
        "influence cancels in differences: the table pairs them, the lines do not.",
        partial(draw_curves, found),
    )


def _forest(found: Comparison) -> Drawing:
    said = []
    for row in found.rows:
        means = {p: a.difference.sample.mean for p, a in row.against.items() if a.difference.sample.n}
        if means:
            said.append(f"{row.row.name}: " + ", ".join(f"{LABELS[p]} {signed(mean)}" for p, mean in means.items()))
    reference = found.reference.row.name
    return Drawing(
        found.name,
        f"Differences to {reference}",
        f"Differences to {reference}. " + "; ".join(said),
        f"Square: mean score over tasks minus that of “{reference}”, the mean of the seeds’ differences; line: its 95 % "
        "interval by t, not corrected for the number of rows; faint dots: single seeds; hollow diamond: what "
        "the paper found, on its own tasks and corpus. An interval that crosses 0 is no evidence of a difference, and none of "
        "equality. Numbers at the edge stand for marks beyond it; a line that runs into the edge goes on.",
        partial(draw_forest, found),
    )
