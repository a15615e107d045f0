"""Whether sub-nets specialise: do those do better on a task whose clusters hold the task's kind of images?

    python -m sdr.experiments.specialisation "table3:SDR, clusters" "table3:SDR, random subsets" [--figure FILE.png]

Of each row SET:NAME of the sets of experiments, over its finished experiments' tasks: `fit`, the rank correlation over sub-nets of
routing's score with the share of the task's images that fall into the sub-net's cluster; `own` and `others`, the mean gain over the
baseline of sub-nets whose clusters are mostly of the task's kind (domain), and of the rest; `spread`, the standard deviation of the
gains; `chosen`, their maximum. Points of kNN accuracy on the task's training split. Rows without clusters (random, all) are the
control: their sub-nets saw no cluster.
"""

import argparse
import textwrap
from pathlib import Path

import pandas as pd
from dvc.api import DVCFileSystem
from matplotlib.figure import Figure

from sdr.base.errors import UserError, program
from sdr.base.outputs import output_file
from sdr.experiments.collect import git
from sdr.experiments.sets import experiment_of, read_set
from sdr.report.style import LIGHT, WIDTH, Palette, render

# The default corpus' domain that a task's images are of.
DOMAINS = {
    "photographs": "photographs",
    "regions": "maps",
    "icons": "icons",
    "pictograms": "pictograms",
    "numerals": "digits",
    "digits": "digits",
}
PANELS = {
    "fit": "rank correlation\nof a sub-net's score with its\ncluster's share of the task",
    "spread": "standard deviation\nof the score over\nsub-nets, points",
}


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="SET:ROW")
    parser.add_argument("--figure", type=Path, help="draw fit and spread")
    args = parser.parse_args()
    table = pd.DataFrame([measured for row in args.rows for measured in of_row(*row.partition(":")[::2])])
    seeds = table.drop(columns="task").groupby(["row", "seed"], sort=False).mean()
    print(table.drop(columns="seed").groupby(["row", "task"], sort=False).mean().round(2).to_string())
    print("\nmeans of tasks, mean and standard deviation over seeds")
    print(seeds.groupby("row", sort=False).agg(["mean", "std"]).round(2).to_string())
    if args.figure:
        with output_file(args.figure) as partial:
            partial.write_bytes(render(lambda palette: draw(seeds, palette), LIGHT))


def of_row(name: str, row_name: str) -> list[dict[str, object]]:
    """A row a seed and task.

    Raises:
        UserError: no such set or row, or an experiment has not finished here.
    """
    experiments = experiments_of(name, row_name)
    return [{"row": row_name, "seed": s} | task for s, e in experiments.items() for task in of_experiment(revision(e))]


def experiments_of(name: str, row_name: str) -> dict[int, str]:
    """Seed → experiment of a row of a set.

    Raises:
        UserError: no such set or row.
    """
    found = read_set(name)
    for row in (row for row in found.rows if row.name == row_name):
        return {seed: experiment_of(found, row, seed).name for seed in found.seeds}
    raise UserError(
        f"experiments/{name}.yaml has no row {row_name!r}: there are {', '.join(repr(row.name) for row in found.rows)}"
    )


def revision(experiment: str) -> str:
    """The latest commit of an experiment.

    Raises:
        UserError: it has not finished here.
    """
    refs = git("for-each-ref", "--sort=creatordate", "--format=%(objectname)", f"refs/exps/**/{experiment}").split()
    if not refs:
        raise UserError(f"no experiment {experiment} here: make experiments SET=…")
    return refs[-1]


def of_experiment(commit: str) -> list[dict[str, object]]:
    """A row a task."""
    files, rows = DVCFileSystem(rev=commit), []
    with files.open("artifacts/clusters/clusters.csv") as file:
        domains = pd.read_csv(file).set_index("cluster")["domain"]
    for task, domain in DOMAINS.items():
        with files.open(f"artifacts/route/{task}/ranking.csv") as file:
            subnets = pd.read_csv(file).set_index("subnet")
        gains, own = subnets["gain"], domains[subnets.index] == domain
        rows.append(
            {
                "task": task,
                "fit": gains.corr(subnets["prior"], method="spearman"),
                "own": gains[own.values].mean(),
                "others": gains[~own.values].mean(),
                "spread": gains.std(),
                "chosen": gains.max(),
            }
        )
    return rows


def draw(seeds: pd.DataFrame, palette: Palette) -> Figure:
    """A line a row: seeds (dots) and their mean (squares)."""
    names = list(dict.fromkeys(seeds.index.get_level_values("row")))
    figure = Figure(figsize=(WIDTH, 0.9 + 0.34 * len(names)), layout="constrained")
    for axes, (column, label) in zip(figure.subplots(1, len(PANELS), sharey=True), PANELS.items()):
        axes.axvline(0, color=palette.baseline, linewidth=1.2)
        for place, name in enumerate(names):
            values = seeds.loc[name][column]
            axes.scatter(values, [place] * len(values), s=14, color=palette.dots, zorder=2)
            axes.scatter(values.mean(), place, s=30, marker="s", color=palette.sdr, zorder=3)
        axes.set_xlabel(label)
        axes.set_yticks(range(len(names)), [textwrap.fill(name, 26) for name in names])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(names) - 0.5, -0.5)
    return figure


if __name__ == "__main__":
    main()
