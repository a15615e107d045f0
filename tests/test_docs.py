"""What the docs name is there: links and anchors, commands, stages, parameters and files; and the README stays short."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "metrics/experiments/*.md", "splits/*.md")
    for page in ROOT.glob(pattern)
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"(?<![\w/~$.@-])(?:sdr|stages|tools|tests|benchmarks|profiles|experiments|splits|docs)/[\w./-]*\w")
_DOTTED = re.compile(r"[a-z_0-9]+(?:\.[a-z_0-9]+)+")


@pytest.fixture(scope="module")
def known() -> dict:
    """Names that docs may use."""
    yaml = YAML(typ="safe")
    main = "\n".join(path.read_text() for path in (ROOT / "sdr/cli").glob("*.py"))
    return {
        "make": set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)),
        "stage": set(yaml.load((ROOT / "dvc.yaml").read_text())["stages"]),
        "sdr": set(re.findall(r'add_parser\(\s*"([a-z]+)"', main)),
        "params": yaml.load((ROOT / "params.yaml").read_text()),
    }


def commands(text: str) -> Iterator[str]:
    """Code of a page, a line each: of fences, of indented blocks, and between backticks."""
    for block in _FENCE.finditer(text):
        yield from block[0].splitlines()[1:-1]
    text = _FENCE.sub("", text)
    yield from (line for line in text.splitlines() if line.startswith("    "))
    yield from _CODE.findall(text)


def slugs(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    out = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / name if name else page
        if not target.exists():
            out.append(link)
        elif anchor and anchor not in slugs(text if target == page else target.read_text()):
            out.append(link)
    return out


def wrong_names(text: str, known: dict) -> list[str]:
    """Commands, stages, modules, files and parameters in a page's code that are not there."""
    out = []
    for code in commands(text):
        code = code.partition(" # ")[0]
        out += [f"make {name}" for name in re.findall(r"\bmake ([a-z]+)\b", code) if name not in known["make"]]
        modules = re.findall(r"python -m ((?:sdr|stages|tools|benchmarks)[\w.]*\w)", code)
        out += [module for module in modules if find_spec(module) is None]
        called = re.findall(r"(?:^|python -m )sdr ([a-z]+)\b", code.strip())
        out += [f"sdr {name}" for name in called if name not in known["sdr"]]
        if match := re.search(r"dvc repro((?: [^#|&]*)?)", code):
            names = [word.partition("@")[0] for word in match[1].split() if re.fullmatch(r"[a-z_]+(@\S+)?", word)]
            out += [f"dvc repro {name}" for name in names if name not in known["stage"]]
        out += [file for file in _FILE.findall(code) if not re.search("[A-Z]{2,}", file) and not (ROOT / file).exists()]
    for code in _CODE.findall(_FENCE.sub("", text)):
        name = code.partition(":")[0]
        if _DOTTED.fullmatch(name) and not _parameter(name, known["params"]):
            out.append(name)
    return out


def _parameter(name: str, params: dict) -> bool:
    """Whether a dotted name is a parameter, or begins with no section of params.yaml."""
    first, *rest = name.split(".")
    if first not in params or rest[-1] in ("csv", "json", "yaml", "md", "py", "html", "noun"):
        return True
    value = params[first]
    if first in ("tasks", "compare", "pruned", "detection", "detectors", "adapt", "score_check"):
        return True
    for key in rest:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str):
    assert not wrong_links(ROOT / name, (ROOT / name).read_text())


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_is_there(name: str, known: dict):
    assert not wrong_names((ROOT / name).read_text(), known)


def test_pages_that_code_and_parameters_name_are_there():
    files = [*ROOT.glob("*.yaml"), *ROOT.glob("profiles/*.yaml"), *ROOT.glob("tools/*"), *ROOT.glob("stages/*.py")]
    files += [*ROOT.glob("sdr/**/*.py"), *ROOT.glob("sdr/**/*.j2"), *ROOT.glob("benchmarks/*.py"), ROOT / "Makefile"]
    named = {(file.name, name) for file in files if file.is_file() for name in _PAGE.findall(file.read_text())}
    assert named and not [(file, name) for file, name in named if not (ROOT / name).exists()]


_PAGE = re.compile(r"\b(?:docs|splits|benchmarks)/[\w-]+\.md")


def test_every_page_is_in_the_readme_s_table_of_contents():
    readme = (ROOT / "README.md").read_text()
    assert not [page for page in PAGES if page.startswith("docs/") and f"]({page})" not in readme]


def test_the_readme_is_short_and_has_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) <= 900
    assert "    make repro " in text and "    make test " in text


@pytest.mark.parametrize(
    "text",
    [
        "`make nothing`",
        "    python -m tools.nothing",
        "`sdr nothing --out x`",
        "```\ndvc repro nothing@birds\n```",
        "`sdr/nothing.py` does it",
        "`views.nothing`",
    ],
)
def test_a_name_that_is_not_there_is_found(text: str, known: dict):
    assert wrong_names(text, known)


@pytest.mark.parametrize("text", ["[a](docs/nothing.md)", "[a](README.md#nothing)", "[a](#nothing)"])
def test_a_link_that_leads_nowhere_is_found(text: str):
    assert wrong_links(ROOT / "page.md", text)


def test_names_that_are_there_pass(known: dict):
    text = "`make repro`, `python -m tools.table`, `sdr fit --out x`, `dvc repro route@birds`, `views.side: 32`, `sdr/nets/`"
    assert not wrong_names(text, known)
