"""Whether sub-nets specialise: do those do better on a task whose clusters hold the task's kind of images?

    python -m benchmarks.specialisation table3 "SDR, clusters" "SDR, random subsets" "SDR, all images"

Of each row of a set, over its finished experiments' tasks: `fit`, the rank correlation over sub-nets of routing's score with the share
of the task's images that fall into the sub-net's cluster; `own` and `others`, the mean gain over the baseline of sub-nets whose clusters
are mostly of the task's kind (domain), and of the rest; `spread`, the standard deviation of the gains; `chosen`, their maximum. Points
of kNN accuracy on the task's training split. Rows without clusters (random, all) are the control: their sub-nets saw no cluster.
"""

import argparse

import pandas as pd
from dvc.api import DVCFileSystem

from sdr.errors import UserError, program
from sdr.report.experiment_set import experiment_of, read_set
from tools.git import git

# The default corpus' domain that a task's images are of.
DOMAINS = {"photographs": "photographs", "regions": "maps", "icons": "icons", "pictograms": "pictograms", "digits": "digits"}


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("rows", nargs="+")
    args = parser.parse_args()
    found = read_set(args.set)
    measured = []
    for row in (row for name in args.rows for row in found.rows if row.name == name):
        for seed in found.seeds:
            measured += [{"row": row.name, "seed": seed} | m for m in of_experiment(experiment_of(found, row, seed).name)]
    table = pd.DataFrame(measured)
    seeds = table.drop(columns="task").groupby(["row", "seed"], sort=False).mean()
    print(table.drop(columns="seed").groupby(["row", "task"], sort=False).mean().round(2).to_string())
    print("\nmeans of tasks, mean and standard deviation over seeds")
    print(seeds.groupby("row", sort=False).agg(["mean", "std"]).round(2).to_string())


def revision(name: str) -> str:
    """The latest commit of an experiment.

    Raises:
        UserError: it has not finished here.
    """
    refs = git("for-each-ref", "--sort=creatordate", "--format=%(objectname)", f"refs/exps/**/{name}").split()
    if not refs:
        raise UserError(f"no experiment {name} here: make experiments SET=…")
    return refs[-1]


def of_experiment(name: str) -> list[dict[str, object]]:
    """A row a task."""
    files, rows = DVCFileSystem(rev=revision(name)), []
    with files.open("artifacts/clusters/clusters.csv") as file:
        domains = pd.read_csv(file).set_index("cluster")["domain"]
    for task, domain in DOMAINS.items():
        with files.open(f"artifacts/route/{task}/ranking.csv") as file:
            subnets = pd.read_csv(file).set_index("subnet")
        gains, own = subnets["gain"], domains[subnets.index] == domain
        rows.append({
            "task": task, "fit": gains.corr(subnets["prior"], method="spearman"), "own": gains[own.values].mean(),
            "others": gains[~own.values].mean(), "spread": gains.std(), "chosen": gains.max(),
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
