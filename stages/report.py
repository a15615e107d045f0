"""Gather what the run measured: the result table, the numbers for `dvc metrics`, and the report."""

from sdr.errors import program
from sdr.outputs import output_dir, write_json
from sdr.params import load
from sdr.report.page import write_report
from sdr.report.run import read_run
from sdr.report.tables import markdown, summary


@program
def main() -> None:
    params = load(tasks=dict, n_subnets=int, seed=int)
    run = read_run("artifacts", params["tasks"], params["n_subnets"], params["seed"])
    with output_dir("report") as folder:
        write_report(run, folder)
        (folder / "summary.md").write_text(markdown(run.tasks), encoding="utf-8")
    write_json("metrics/summary.json", summary(run.tasks))
    print(f"report: {len(run.tasks)} tasks, report/index.html (open it in a browser)")


if __name__ == "__main__":
    main()
