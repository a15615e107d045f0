"""Which figures the report has, what each is called, shows, and does not show."""

from functools import partial

from sdr.report.cost import Cost
from sdr.report.pictures import Drawing
from sdr.report.plot_clusters import draw_clusters
from sdr.report.plot_cost import draw_cost
from sdr.report.plot_gains import draw_gains, draw_histogram, draw_paths, gain_of, w0_gain
from sdr.report.plot_runs import draw_runs
from sdr.report.plot_scores import draw_scores
from sdr.report.plot_training import draw_training, probed_tasks
from sdr.report.run import Run, TaskRun
from sdr.report.runs import name_of
from sdr.report.tables import signed
from sdr.report.units import decimal, duration, macs_unit

HISTOGRAM_FROM = 4  # fewer sub-nets than this make no histogram


def drawings(run: Run, cost: Cost) -> dict[str, Drawing]:
    """All figures that this run has something to show in, by name."""
    found = [_training(run), _clusters(run), _cost(cost)]
    if run.ran:
        found.append(_runs(run))
    if run.tasks:
        found += [_scores(run), _gains(run)]
    if run.tasks and run.n_subnets > 1:
        found.append(_paths(run))
    if run.tasks and run.n_subnets >= HISTOGRAM_FROM:
        found.append(_histogram(run))
    return {drawing.name: drawing for drawing in found}


def _scores(run: Run) -> Drawing:
    return Drawing(
        "scores",
        "Linear test scores",
        "Linear test scores with intervals: "
        + "; ".join(
            f"{t.name}: " + ", ".join(f"{network} {e['linear']:.1f} %" for network, e in t.networks.items())
            for t in run.tasks
        ),
        "Look whether the square lies right of the dot by more than the lines are long. A line is the 95 % "
        "bootstrap interval over the test images. It does not hold the spread over training seeds, which "
        "only more runs show.",
        partial(draw_scores, run.tasks),
    )


def _gains(run: Run) -> Drawing:
    best = "; ".join(
        f"{t.name}: median {signed(t.ranking['gain'].median())}, best {signed(t.best['gain'])}"
        + (f", W_0 {signed(w0)}" if (w0 := w0_gain(t)) is not None else "")
        for t in run.tasks
    )
    selected = (
        f"The square is the best of {run.n_subnets} on the training split and for that reason alone tends "
        "to be high: the table of test scores says what is left of it."
        if run.n_subnets > 1
        else "With one sub-net there is nothing to choose."
    )
    return Drawing(
        "gains",
        "How much the sub-nets differ",
        f"{gain_of(run.tasks[0])} of all sub-nets. {best}",
        "A dot is a sub-net, the box holds the middle half of them, the vertical line at 0 is the baseline "
        "(paper, Fig. 4a). A wide row is a task for which it matters what a network was trained on. " + selected,
        partial(draw_gains, run.tasks),
    )


def _histogram(run: Run) -> Drawing:
    task = _widest(run.tasks)
    above = int((task.ranking["gain"] > 0).sum())
    return Drawing(
        "histogram",
        "The task on which they differ most",
        f"Histogram of the gains on {task.name}: {above} of {run.n_subnets} sub-nets are above the baseline",
        f"The row {task.name} of the figure before, as a histogram (paper, Fig. 4b): the task on which the "
        f"sub-nets differ most, so the one that flatters routing most. {above} of {run.n_subnets} sub-nets "
        "beat the baseline. It does not show why: see the pictures of the cluster below.",
        partial(draw_histogram, task),
    )


def _paths(run: Run) -> Drawing:
    return Drawing(
        "paths",
        "Trees of paths",
        "Trees of paths, coloured by gain. Best: " + "; ".join(f"{t.name} path {t.best['path']}" for t in run.tasks),
        "The lowest row of each tree holds the sub-nets, a cell above it the mean of the sub-nets below, "
        "which share that group of channels. The triangle marks the best sub-net. If large cells differ in "
        "colour, the groups of early stages matter; if only the lowest row does, the tree has no meaning "
        "beyond its leaves. Which cluster takes which path is arbitrary, so neighbours need not be alike. "
        "Training split, one seed.",
        partial(draw_paths, run.tasks),
    )


def _training(run: Run) -> Drawing:
    tasks = probed_tasks(run.probe)
    probed = f"; effective rank{' and kNN' if tasks else ''} by the probe" if len(run.probe) else ""
    seen = (
        " The effective rank is exp of the entropy of the projections’ singular values (RankMe), on one sample of the corpus for all: "
        "how many directions they use. A fall is a warning; networks of other widths cannot be compared."
        + " kNN is on training images of those tasks, shown as small as a training view: its course counts, not its height."
        * bool(tasks)
        if len(run.probe)
        else ""
    )
    return Drawing(
        "training",
        "Training curves",
        "Training curves of the baseline, the super-net and the sub-nets: loss, and spread of the projections" + probed,
        "Above: a loss that runs to its least within a few steps is a warning and no success. Below: the std of "
        "the normalised projections over a batch, times √d; at 0 all images have the same. The band is "
        "the range over the sub-nets seen in a span of steps, each on its own cluster; curves are averaged "
        "over spans. Losses on different images cannot be compared, so a lower curve is not a better "
        "network." + seen,
        partial(draw_training, run.sdrnet["method"], run.history, run.history_sdr, run.probe, run.probe_sdr),
    )


def _clusters(run: Run) -> Drawing:
    sizes = run.clusters["size"]
    return Drawing(
        "clusters",
        "Sizes of the clusters",
        f"Sizes of {len(sizes)} clusters, from {sizes.min()} to {sizes.max()} images",
        "A bar is a cluster. Its colour is the domain that most of its images come from, the full part of "
        "the bar their share (purity). Sinkhorn only balances softly; a bar near 0 is a sub-net with next "
        "to no data. Domains are folder or package names: clustering never saw them, and a mixed cluster "
        "is not a wrong one.",
        partial(draw_clusters, run.clusters),
    )


def _cost(cost: Cost) -> Drawing:
    unit, letter = macs_unit(cost.routing[0].exhaustive)
    counted = "; ".join(
        f"{row.n}: {decimal(row.exhaustive / unit)} {letter} exhaustive, {decimal(row.tree / unit)} {letter} as a tree"
        for row in cost.routing
    )
    return Drawing(
        "cost",
        "Multiply-adds",
        f"Multiply-adds for one task image by number of sub-nets. {counted}",
        "Counted, not measured: multiply-adds of convolutions and linear layers. Above, both axes logarithmic: to "
        "embed one image of a task with every sub-net. Exhaustive search runs each from the image on; a tree runs "
        "once what paths have in common, which needs calibrate.source: common, and memory for the features of all. "
        "Below: to train on one image, backbone and heads, two views, the backward pass taken as twice the forward "
        "pass; a sub-net’s bar holds what its teacher W₀ computes. The mean is weighted by the steps that each is "
        "expected to get.",
        partial(draw_cost, cost),
    )


def _runs(run: Run) -> Drawing:
    seconds: dict[str, float] = {}
    for stage in run.ran:
        seconds[name_of(stage)] = seconds.get(name_of(stage), 0.0) + stage.seconds
    return Drawing(
        "runs",
        "When the stages ran",
        "When the stages ran. " + "; ".join(f"{name} {duration(total)}" for name, total in seconds.items()),
        "A bar is the last run of a stage in this folder; stages with one run a task share a row, and the time beside "
        "it is their sum, from the start of each process to its end. Dates are UTC; where nothing ran for long, time "
        "is cut out. A stage whose outputs came from the cache or another machine did not run, and is missing or "
        "shown with an earlier run. The stage that wrote this page was still running.",
        partial(draw_runs, run.ran),
    )


def _widest(tasks: list[TaskRun]) -> TaskRun:
    return max(tasks, key=lambda task: task.ranking["gain"].std())
