"""Mean and standard deviation over runs with different seeds, as the Markdown table of the README.

for s in 0 1 2; do dvc exp run -n seed-$s -S seed=$s; done
python -m tools.seeds seed-0 seed-1 seed-2
"""

import json
import statistics
import sys

from sdr.base.errors import UserError, program
from tools.git import git

PROTOCOLS, NETWORKS = ("linear", "knn"), ("baseline", "w0", "sdr", "gain")
METRICS = "metrics/summary.json"


@program
def main(revisions: list[str]) -> None:
    if len(revisions) < 2:
        raise UserError("name at least two revisions or experiments: python -m tools.seeds seed-0 seed-1 seed-2")
    print(table([summary(revision) for revision in revisions]))


def summary(revision: str) -> dict:
    """The tracked metrics of a revision or experiment."""
    experiment = git("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{revision}").split()
    try:
        return json.loads(git("show", f"{experiment[0] if experiment else revision}:{METRICS}"))
    except UserError:
        raise UserError(f"{revision}: no {METRICS} there; `dvc exp show` lists the experiments") from None


def table(runs: list[dict]) -> str:
    """Rows are tasks, columns networks under both protocols; each cell is mean ± sample deviation, in percent."""
    if any(set(run) != set(runs[0]) for run in runs):
        raise UserError("the runs have different tasks")
    heads = [f"{protocol} {network}" for protocol in PROTOCOLS for network in NETWORKS]
    lines = ["| task | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for task in runs[0]:
        cells = []
        for protocol in PROTOCOLS:
            for network in NETWORKS:
                values = [run[task][protocol][network] for run in runs]
                sign = "+" if network == "gain" else ""
                cells.append(f"{statistics.mean(values):{sign}.1f} ± {statistics.stdev(values):.1f}")
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
