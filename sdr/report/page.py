"""The report as one HTML page that needs nothing but itself: pictures inlined, no request to anywhere."""

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sdr.report import facts, runs, tables, units
from sdr.report.cost import Cost
from sdr.report.figures import Drawing, drawings
from sdr.report.plot_gains import w0_gain
from sdr.report.run import Run
from sdr.report.style import DARK, LIGHT, render

HERE = Path(__file__).parent


def write_report(run: Run, cost: Cost, folder: Path) -> None:
    """Write `index.html` and `figures/NAME.png` into an existing, empty folder."""
    (folder / "figures").mkdir()
    pictures = {}
    for name, drawing in drawings(run, cost).items():
        light = render(drawing.draw, LIGHT)
        (folder / "figures" / f"{name}.png").write_bytes(light)
        pictures[name] = _picture(drawing, light, render(drawing.draw, DARK))
    (folder / "index.html").write_text(page(run, cost, pictures), encoding="utf-8")


def page(run: Run, cost: Cost, pictures: dict[str, dict[str, str]]) -> str:
    """Return the page; `pictures`: name → {"light", "dark", "alt", "caption"}, images as data addresses."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "signed": tables.signed,
        "percent": tables.percent,
        "words": lambda name: name.replace("_", " "),
        "count": units.count,
        "decimal": units.decimal,
        "duration": units.duration,
    }
    scores = {task.name: tables.scores(task) for task in run.tasks}
    others = {task.name: tables.other_scores(task.others) for task in run.tasks}
    return environment.get_template("page.html.j2").render(
        run=run,
        pictures=pictures,
        css=Markup((HERE / "page.css").read_text("utf-8")),
        js=Markup((HERE / "page.js").read_text("utf-8")),
        scores=scores,
        mean=tables.mean(list(scores.values())) if scores else None,
        separated=[task.name for task in run.tasks if tables.separated(task)],
        at_edge=facts.at_edge(run),
        others=others,
        others_mean=tables.mean(list(others.values())) if others else None,
        detection=tables.detection_summary(run.detection),
        header=facts.header(run),
        methods={"simsiam": "SimSiam", "byol": "BYOL"},
        domains=facts.domains(run),
        w0_gain=w0_gain,
        chosen=[
            cluster | {"sheet": _sheet(run, cluster["cluster"])} for cluster in facts.chosen_clusters(run)
        ],
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
    return _data(buffer.getvalue(), "jpeg")


def _picture(drawing: Drawing, light: bytes, dark: bytes) -> dict[str, Any]:
    return {"light": _data(light), "dark": _data(dark), "alt": drawing.alt, "caption": drawing.caption}


def _data(image: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(image).decode()
