"""A pruned baseline's test scores on all tasks → artifacts/scores/NAME.json."""

import sys

from sdr.base.errors import UserError, program
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.report.scores import read_scores


@program
def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("usage: python -m stages.scores_pruned NAME, one of `pruned` in params.yaml")
    name = sys.argv[1]
    found = read_scores(f"artifacts/eval/compare/{name}", load(tasks=dict)["tasks"])
    write_json(f"artifacts/scores/{name}.json", found)
    print(f"scores_pruned {name}: {found[name]['linear']['mean']:.2f} % (kNN {found[name]['knn']['mean']:.2f} %)")


if __name__ == "__main__":
    main()
