"""The report as one HTML page that needs nothing but itself: pictures inlined, no request to anywhere."""

import io
from pathlib import Path

from PIL import Image

from sdr.base.outputs import write_csv
from sdr.report import facts, runs, tables, units
from sdr.report.cost import Cost
from sdr.report.difference import beside, difference
from sdr.report.figures import drawings
from sdr.report.pictures import data_address, write_pictures
from sdr.report.plot_gains import gain_of, w0_gain
from sdr.report.run import Run
from sdr.report.templates import environment, look
from sdr.report.verdicts import verdict_of


def write_report(run: Run, cost: Cost, folder: Path) -> None:
    """Write `index.html`, `figures/NAME.png` and `plots/NAME.csv` into an existing, empty folder."""
    pictures = write_pictures(drawings(run, cost).values(), folder / "figures")
    (folder / "plots").mkdir()
    write_csv(folder / "plots/differences.csv", differences(run))
    (folder / "index.html").write_text(page(run, cost, pictures), encoding="utf-8")


def differences(run: Run) -> list[dict[str, str | float]]:
    """Test difference of each task's choice to the baseline, points, for `dvc plots diff`, which lays runs beside one another."""
    found = {task.name: difference(task.networks["sdr"], task.networks["baseline"]) for task in run.tasks}
    return [
        {"task": task, "difference": round(each.mean, 2), "low": round(each.low, 2), "high": round(each.high, 2)}
        for task, each in found.items()
    ]


def page(run: Run, cost: Cost, pictures: dict[str, dict[str, str]]) -> str:
    """Return the page; `pictures`: name → {"light", "dark", "title", "alt", "caption"}, images as data addresses."""
    scores = {task.name: tables.scores(task) for task in run.tasks}
    others = {task.name: tables.other_scores(task.others) for task in run.tasks}
    template = environment().get_template("page.html.j2")
    return template.render(
        run=run,
        pictures=pictures,
        **look(),
        verdicts=[verdict_of(task) for task in run.tasks],
        dots=facts.dots(run),
        dots_scale=gain_of(run.tasks[0]) if run.tasks else "",
        scores=scores,
        mean=tables.mean(list(scores.values())) if scores else None,
        separated=[task.name for task in run.tasks if tables.separated(task)],
        at_edge=facts.at_edge(run),
        surely_better={row["task"]: row["low"] > 0 for row in differences(run)},
        beside={task.name: beside(task) for task in run.tasks},
        others=others,
        others_mean=tables.mean(list(others.values())) if others else None,
        detection=tables.detection_summary(run.detection),
        header=facts.header(run),
        methods={"simsiam": "SimSiam", "byol": "BYOL", "simclr": "SimCLR"},
        domains=facts.domains(run),
        w0_gain=w0_gain,
        raw_linear=tables.raw_linear,
        below_raw={task.name: tables.below_raw(task) for task in run.tasks},
        chosen=[cluster | {"sheet": _sheet(run, cluster["cluster"])} for cluster in facts.chosen_clusters(run)],
        clusters=[cluster | {"sheet": _sheet(run, cluster["cluster"])} for cluster in facts.clusters(run)],
        clustering=facts.clustering(run),
        cost=cost,
        unit=units.macs_unit(cost.routing[0].exhaustive),
        trainings=facts.trainings(run, cost),
        part_of=runs.part_of,
        parameters=facts.parameters(run),
    )


def _sheet(run: Run, cluster: int) -> str | None:
    path = run.samples / f"cluster_{cluster:03d}.png"
    if not path.exists():  # an empty cluster has no samples
        return None
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=88)  # a fifth of the PNG: there may be 256 of them
    return data_address(buffer.getvalue(), "jpeg")
