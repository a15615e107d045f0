"""Gather what the run measured: the result table, the numbers for `dvc metrics`, and the report."""

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir, write_json
from sdr.base.params import load
from sdr.base.run_log import log_file
from sdr.report.cost import Cost
from sdr.report.page import write_report
from sdr.report.run import read_run
from sdr.report.tables import markdown, summary, task_scores


@program
def main() -> None:
    no_entry()
    params = load(
        tasks=dict,
        n_subnets=int,
        seed=int,
        networks=list,
        adapt=dict,
        score_check=dict,
        detection=dict,
        detection_networks=list,
    )
    # Every output follows from parameters and artifacts but for what the page says of when stages ran and how long
    # they took.
    run = read_run("artifacts", **params, log=log_file())
    with output_dir("report") as folder:
        write_report(run, Cost.read(run.sdrnet, run.calibration, run.n_subnets), folder)
        (folder / "summary.md").write_text(markdown(run.tasks, run.detection), encoding="utf-8")
    write_json("metrics/summary.json", summary(run.tasks, run.detection))
    write_json("metrics/tasks.json", task_scores(run.tasks))
    print(f"report: {len(run.tasks)} tasks, report/index.html (open it in a browser)")


if __name__ == "__main__":
    main()
