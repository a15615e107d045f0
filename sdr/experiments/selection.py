"""How much of a routed sub-net's lead is the optimism of choosing it: kNN points over the baseline where it is chosen, and on
the test split.

    python -m sdr.experiments.selection [SET] [--row "SDR, clusters"] [--baseline SimSiam] [--w0 "W_0 of SDR, clusters"]

Reads metrics/experiments/SET.csv and, from DVC's cache, the routing of each of its experiments; prints a line a task and seed, and means.
"""

import argparse
import json

import pandas as pd
from dvc.api import DVCFileSystem

from sdr.experiments.measured import FOLDER
from sdr.experiments.specialisation import revision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", nargs="?", default="table3")
    parser.add_argument("--row", default="SDR, clusters")
    parser.add_argument("--baseline", default="SimSiam")
    parser.add_argument("--w0", default="W_0 of SDR, clusters")
    args = parser.parse_args()
    lines = pd.read_csv(FOLDER / f"{args.set}.csv").set_index(["row", "seed"])
    found = pd.concat([leads(seed, lines, args) for seed in lines.loc[args.row].index])
    print(found.round(1).to_string(index=False))
    print(f"\nmeans\n{found.drop(columns=['seed', 'task']).mean().round(2).to_string()}")
    print(
        f"\ncorrelation of the chosen one's lead where chosen and on the test split: {found['chosen'].corr(found['chosen, test']):.2f}"
    )


def leads(seed: int, lines: pd.DataFrame, args: argparse.Namespace) -> pd.DataFrame:
    """Of one experiment, a row a task: leads over the baseline, kNN points."""
    ours, baseline, w0 = (lines.loc[(name, seed)] for name in (args.row, args.baseline, args.w0))
    files, rows = DVCFileSystem(rev=revision(ours["experiment"])), []
    for column in (name for name in lines.columns if name.startswith("knn.")):
        task = column.removeprefix("knn.")
        with files.open(f"artifacts/route/{task}/ranking.csv") as ranking:
            gains = pd.read_csv(ranking)["gain"]
        with files.open(f"artifacts/route/{task}/route.json") as file:
            route = json.load(file)
        rows.append(
            {
                "seed": seed,
                "task": task,
                "chosen": gains.max(),
                "chosen, test": ours[column] - baseline[column],
                "W_0": route["w0"] - route["baseline"],
                "W_0, test": w0[column] - baseline[column],
                "all, mean": gains.mean(),
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
