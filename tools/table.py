"""Print the result tables of the last run, and where its report lies.

python -m tools.table              everything
python -m tools.table --compare    only networks other than our own; nothing else need have run
"""

import argparse
from pathlib import Path

from sdr.base.errors import UserError, program
from sdr.base.params import load
from sdr.report.run import OWN, read_evaluation, read_run
from sdr.report.tables import Scores, other_scores
from sdr.report.terminal import print_detection, print_next, print_others, print_table, print_verdicts
from sdr.report.verdicts import verdict_of


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--compare", action="store_true", help="only networks other than our own")
    names = load(tasks=dict, networks=list)
    if parser.parse_args().compare:
        print_others(_others(list(names["tasks"]), [name for name in names["networks"] if name not in OWN]))
        return
    params = load(n_subnets=int, seed=int, score_check=dict, detection=dict, detection_networks=list)
    run = read_run("artifacts", **names, **params)
    print_table(run.tasks)
    if run.tasks and run.tasks[0].others:
        print_others({task.name: other_scores(task.others) for task in run.tasks})
    if run.detection:
        print_detection(run.detection)
    verdicts = [verdict_of(task) for task in run.tasks]
    if verdicts:
        print_verdicts(verdicts)
    print_next(Path("report/index.html").absolute(), verdicts)


def _others(tasks: list[str], networks: list[str]) -> dict[str, Scores]:
    if not tasks or not networks:
        raise UserError(
            "params.yaml: `tasks` is empty, or `networks` names none but our own: there is nothing to compare"
        )
    root = Path("artifacts")
    return {task: other_scores({name: read_evaluation(root, name, task) for name in networks}) for task in tasks}


if __name__ == "__main__":
    main()
