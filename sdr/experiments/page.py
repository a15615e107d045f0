"""All sets of experiments on one HTML page that needs nothing but itself."""

from pathlib import Path

from markupsafe import Markup

from sdr.base.outputs import output_dir
from sdr.experiments import words
from sdr.experiments.comparison import Comparison, read_all
from sdr.experiments.figures import figure_of
from sdr.experiments.measured import FOLDER as MEASURED
from sdr.experiments.sets import FOLDER as SETS
from sdr.experiments.tables import markdown
from sdr.report.pictures import write_pictures
from sdr.report.tables import signed
from sdr.report.templates import environment, look

HERE = Path(__file__).parent


def write_page(sets: Path = SETS, measured: Path = MEASURED, out: Path = Path("report-experiments")) -> str:
    """Set the rows of all experiments beside the paper's: `index.html`, `tables.md` and figures in a folder, whole or not at all.

    Returns:
        what was written, in words.

    Raises:
        UserError: a set or a table is not valid.
    """
    found = read_all(sets, measured)
    with output_dir(out) as folder:
        write_experiments(found, folder)
    with_results = sum(one.measured for one in found)
    return f"experiments: {with_results} of {len(found)} sets have results, {out / 'index.html'} (open it in a browser)"


def write_experiments(sets: list[Comparison], folder: Path) -> None:
    """Write `index.html`, `tables.md` and `figures/SET.png` into an existing, empty folder."""
    drawings = filter(None, map(figure_of, sets))
    pictures = write_pictures(drawings, folder / "figures")
    (folder / "index.html").write_text(experiments_page(sets, pictures), encoding="utf-8")
    (folder / "tables.md").write_text(markdown(sets), encoding="utf-8")


def experiments_page(sets: list[Comparison], pictures: dict[str, dict[str, str]]) -> str:
    """Return the page; `pictures` as `write_pictures` returns them, a set without one has no figure."""
    templates = environment(HERE)
    templates.filters |= {
        "p_value": words.p_value,
        "times": words.times,
        "interval": words.interval,
        "evidence": words.evidence,
        "signed_or_dash": words.signed_or_dash,
        "signed_or_nothing": lambda value: signed(value) if isinstance(value, float) else "",
    }
    measured = [found for found in sets if found.measured]
    return templates.get_template("experiments.html.j2").render(
        sets=sets,
        measured=measured,
        pictures=pictures,
        columns={found.name: words.columns(found) for found in sets},
        facts=words.facts(sets) if measured else [],
        reading=words.READING,
        own_css=Markup((HERE / "experiments.css").read_text("utf-8")),
        **look(),
    )
