"""Set the rows of all experiments beside the paper's → report-experiments: index.html, tables.md, figures."""

from pathlib import Path

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir
from sdr.experiments.comparison import read_all
from sdr.experiments.measured import FOLDER as MEASURED
from sdr.experiments.page import write_experiments
from sdr.experiments.sets import FOLDER as SETS

OUT = Path("report-experiments")


@program
def main() -> None:
    no_entry()
    sets = read_all(SETS, MEASURED)
    with output_dir(OUT) as folder:
        write_experiments(sets, folder)
    measured = sum(found.measured for found in sets)
    print(f"experiments: {measured} of {len(sets)} sets have results, {OUT / 'index.html'} (open it in a browser)")


if __name__ == "__main__":
    main()
