"""Templates of the pages and the filters they have in common."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sdr.report import tables, units

HERE = Path(__file__).parent


def environment(own: Path = HERE) -> Environment:
    """Whatever a template is given is escaped; a name it is not given is an error.

    Args:
        own: folder of the page's templates, which may use those here.
    """
    made = Environment(
        loader=FileSystemLoader([own, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "signed": tables.signed,
        "percent": tables.percent,
        "words": lambda name: name.replace("_", " "),
        "count": units.count,
        "decimal": units.decimal,
        "duration": units.duration,
    }
    return made


def look() -> dict[str, Markup]:
    """What makes the pages look and behave alike: `css` and `js`, to be inlined."""
    return {
        "css": Markup((HERE / "page.css").read_text("utf-8")),
        "js": Markup((HERE / "page.js").read_text("utf-8")),
    }
