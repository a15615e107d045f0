"""Gather what the run measured: the result table, the numbers for `dvc metrics`, and the report."""

from sdr.base.errors import program
from sdr.base.outputs import output_dir, write_json
from sdr.base.params import load
from sdr.base.run_log import log_file
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.report.page import write_report
from sdr.report.run import Run, read_run
from sdr.report.tables import detection_summary, markdown, summary
from sdr.train.cost import Computing, cost_of
from sdr.train.settings import Sdr


@program
def main() -> None:
    params = load(
        tasks=dict,
        n_subnets=int,
        seed=int,
        score_check=dict,
        compare=dict,
        pruned=dict,
        detection=dict,
        detection_compare=list,
    )
    # Every output follows from parameters and artifacts but for what the page says of when stages ran and how long
    # they took.
    run = read_run("artifacts", **params, log=log_file())
    cost = cost_of(computing(run))
    with output_dir("report") as folder:
        write_report(run, cost, folder)
        (folder / "summary.md").write_text(markdown(run.tasks, run.detection), encoding="utf-8")
    write_json("metrics/summary.json", summary(run.tasks))
    write_json("metrics/detection.json", detection_summary(run.detection))
    write_json("metrics/timing.json", run.timing)
    print(f"report: {len(run.tasks)} tasks, report/index.html (open it in a browser)")


def computing(run: Run) -> Computing:
    """What the cost of a run follows from."""
    params = load(backbone=Backbone, views__side=int, embed__side=int, sdr=Sdr)
    return Computing.of(
        params["sdr"],
        method=run.sdrnet["method"],
        backbone=params["backbone"],  # the config's has no groups if there is one sub-net
        heads=Heads(**run.sdrnet["heads"]),
        n_subnets=run.n_subnets,
        view=params["views__side"],
        shown=params["embed__side"],
    )


if __name__ == "__main__":
    main()
