"""Print the result table of the last run, and where its report lies."""

from pathlib import Path

from sdr.errors import program
from sdr.params import load
from sdr.report.run import read_run
from sdr.report.tables import print_table


@program
def main() -> None:
    params = load(tasks=dict, n_subnets=int, seed=int)
    print_table(read_run("artifacts", params["tasks"], params["n_subnets"], params["seed"]).tasks)
    print(f"report: {Path('report/index.html').absolute()} (open it in a browser)")


if __name__ == "__main__":
    main()
