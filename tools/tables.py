"""Bring the tables up to date: rows of experiments that have finished, the gain at equal compute, and how far verdicts hold.
Then their page, report-experiments/index.html: no stage of DVC, for it is made of committed tables in seconds.

python -m tools.tables [SET …]
"""

import sys

from sdr.base.errors import program
from sdr.experiments.collect import collect, finished, missing
from sdr.experiments.gain import write_gain
from sdr.experiments.measured import FOLDER, read_cells
from sdr.experiments.page import write_page
from sdr.experiments.sets import read_set, set_names
from sdr.experiments.verdict import write_verdicts


@program
def main(sets: list[str]) -> None:
    for name in sets or set_names():
        of_set = read_set(name)
        collect(name, of_set, finished(missing(name, of_set)))
        there = len(read_cells(FOLDER / f"{name}.csv"))
        print(f"{name}: {there} of {len(of_set.rows) * len(of_set.seeds)} rows")
    print(write_gain())
    print(write_verdicts())
    print(write_page())


if __name__ == "__main__":
    main(sys.argv[1:])
