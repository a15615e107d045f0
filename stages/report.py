"""Gather what the run measured: the result table, the numbers for `dvc metrics`, and the report."""

from sdr.errors import program
from sdr.outputs import output_dir, write_json
from sdr.params import load
from sdr.report.page import write_report
from sdr.report.run import read_run
from sdr.report.tables import detection_summary, markdown, summary


@program
def main() -> None:
    params = load(
        tasks=dict, n_subnets=int, seed=int, score_check=dict, compare=dict, detection=dict, detection_compare=list
    )
    run = read_run("artifacts", **params)
    with output_dir("report") as folder:
        write_report(run, folder)
        (folder / "summary.md").write_text(markdown(run.tasks, run.detection), encoding="utf-8")
    write_json("metrics/summary.json", summary(run.tasks))
    write_json("metrics/detection.json", detection_summary(run.detection))
    print(f"report: {len(run.tasks)} tasks, report/index.html (open it in a browser)")


if __name__ == "__main__":
    main()
