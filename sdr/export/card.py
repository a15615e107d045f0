"""The model card of an exported backbone: what it is, how it was made, how well it does, how to use it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
# Punctuation with a meaning inside a line of Markdown; a backslash before it is allowed wherever the line stands.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#$])")
_FRONT_MATTER = {
    "library_name": "timm",
    "pipeline_tag": "image-feature-extraction",
    "license": "other",
    "tags": ["image-feature-extraction", "self-supervised", "timm", "resnet", "sdr"],
}


class Score(NamedTuple):
    """A test score: of a task, by a protocol ("linear, top-1"), out of 100, and its 95 % bootstrap interval."""

    task: str
    protocol: str
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Card:
    """The facts of one exported backbone. None and empty say "not known": the card leaves them out."""

    name: str
    network: Literal["subnet", "w0", "baseline", "adapted"]
    block: Literal["basic", "bottleneck"]
    layers: tuple[int, ...]
    """Blocks a stage."""
    widths: tuple[int, ...]
    """Planes a stage."""
    n_features: int
    """D of the pooled features."""
    size: int
    """Side of an image, pixels."""
    mean: tuple[float, ...]
    """A channel, of pixels in [0, 1]."""
    std: tuple[float, ...]
    interpolation: str
    """Pillow's name of it, in lower case."""
    onnx: bool
    """Whether `model.onnx` lies beside the card."""
    program: bool
    """Whether `model.pt2` does."""
    stem: str | None = None
    """timm's name, "" for one 7×7 convolution."""
    n_parameters: int | None = None
    subnet: int | None = None
    """The number of a sub-net."""
    n_subnets: int | None = None
    path: str | None = None
    """The group of each stage, "0-0-3-3"."""
    statistics: str | None = None
    """The images that the batch norms were measured on: "all images", "cluster 3"."""
    task: str | None = None
    """That the network was chosen for."""
    routing: str | None = None
    """How well it did there, and by which search."""
    corpus: str | None = None
    corpus_images: int | None = None
    corpus_fingerprint: str | None = None
    cluster_images: int | None = None
    """Size of the cluster that the sub-net was trained on."""
    nearest_images: int | None = None
    """How many of the corpus, nearest to its task's, an adapted network was trained on with."""
    samples: tuple[str, ...] = ()
    """File names in `samples/` beside the card."""
    scores: tuple[Score, ...] = ()
    parameters: Mapping[str, Any] | None = None
    """Nested; plain values, lists and dicts."""
    command: str | None = None
    versions: Mapping[str, str] | None = None


def model_card(facts: Card) -> str:
    """Render the card `README.md`: Markdown with the YAML front matter that the Hugging Face Hub reads.

    Equal facts give equal text. Names may hold any characters: outside of code they are escaped.

    Raises:
        yaml.representer.RepresenterError: the parameters hold more than plain values, lists and dicts.
    """
    return render(
        "card.md.j2",
        card=facts,
        corpus=_corpus(facts),
        front_matter=Markup(_yaml(_FRONT_MATTER)),
        parameters=None if facts.parameters is None else _yaml(dict(facts.parameters)),
    )


def render(template: str, **values: Any) -> str:
    """Render a template of this folder as Markdown; every value that it shows is escaped, but for `Markup`."""
    environment = Environment(
        loader=FileSystemLoader(HERE, encoding="utf-8"),
        finalize=_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": _code, "url": lambda name: Markup(quote(name, safe=""))}
    return environment.get_template(template).render(**values)


def _corpus(card: Card) -> dict[str, str]:
    """What is known of the pictures, as rows of a table."""
    known = {
        "corpus": card.corpus,
        "images": card.corpus_images and f"{card.corpus_images:,}",
        "fingerprint": card.corpus_fingerprint,
        "images nearest to the task's": card.nearest_images and f"{card.nearest_images:,}",
        "images of the sub-net's own cluster": card.cluster_images and f"{card.cluster_images:,}",
    }
    return {label: value for label, value in known.items() if value is not None}


def _markdown(value: object) -> str:
    """A value as text within one line of Markdown, a table's cell included; `Markup` as it is."""
    if isinstance(value, Markup):
        return value
    printable = "".join(c if c.isprintable() else " " for c in str(value))
    return _SPECIAL.sub(r"\\\1", " ".join(printable.split()))


def _code(text: str, language: str) -> Markup:
    """A fenced block; the fence is longer than any run of backticks in the text."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return Markup(f"{fence}{language}\n{text.rstrip()}\n{fence}")


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).rstrip()
