"""The rooms of the house stand on floors: no import goes up, and none goes in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The floor of each room, from the ground up. A room may use those below it, and beside it where no circle comes of it.
FLOORS = (
    ("sdr.base",),
    ("sdr.corpus", "sdr.sources", "sdr.nets"),
    ("sdr.ssl", "sdr.cluster", "sdr.tasks"),
    ("sdr.train", "sdr.evaluate", "sdr.compare"),
    ("sdr.report", "sdr.route", "sdr.detect"),
    ("sdr.export", "sdr.experiments", "tools"),
    ("stages", "sdr.cli"),
    ("benchmarks", "sdr.__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS, start=1) for room in rooms}


def imports(text: str) -> Iterator[tuple[int, str]]:
    """(line, module) of all imports, those within functions too; `from a import b` is of a.b, which may be a name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole module"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def room_of(module: str) -> str | None:
    """The room that a module lies in; None for other people's."""
    top, _, rest = module.partition(".")
    if top not in ("sdr", "stages", "tools", "benchmarks", "tests"):
        return None
    return f"sdr.{rest.partition('.')[0]}" if top == "sdr" and rest else top


def sources(root: Path = ROOT) -> dict[str, str]:
    """Module → source text, of all but tests."""
    files = [file for top in ("sdr", "stages", "tools", "benchmarks") for file in sorted((root / top).rglob("*.py"))]
    return {".".join(file.relative_to(root).with_suffix("").parts): file.read_text() for file in files}


def wrong(texts: dict[str, str]) -> list[str]:
    """What is wrong with the imports, a line each."""
    out, uses = [], {room: set() for room in FLOOR}
    for module, text in texts.items():
        if module == "sdr.__init__":
            continue
        room = room_of(module.removesuffix(".__init__"))
        if room not in FLOOR:
            out.append(f"{module}: no floor is given to {room}")
            continue
        for line, imported in imports(text):
            used = room_of(imported)
            if used is None or used == room:
                continue
            if FLOOR.get(used, 9) > FLOOR[room]:
                out.append(f"{module}:{line} imports {imported}, which is above it")
            uses[room].add(used)
    return out or circle(uses)


def circle(uses: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        return [f"a circle: {' ← '.join(error.args[1])}"]
    return []


def test_no_import_goes_up_or_in_a_circle():
    assert not (lines := wrong(sources())), "\n".join(lines)


def test_no_modules_import_each_other():
    """Within a room too, and within functions too, where Python itself would not notice."""
    texts = sources()
    uses = {module.removesuffix(".__init__"): set() for module in texts}
    for module, text in texts.items():
        name = module.removesuffix(".__init__")
        for _, imported in imports(text):
            used = imported if imported in uses else imported.rpartition(".")[0]
            if used in uses and used != name:
                uses[name].add(used)
    assert circle(uses) == []


@pytest.mark.parametrize(
    ("module", "line", "says"),
    [
        ("sdr.base.errors", "from sdr.nets.paths import path_of", "imports sdr.nets.paths.path_of, which is above"),
        ("sdr.ssl.views", "def f():\n    import sdr.train.step", "sdr.ssl.views:2 imports sdr.train.step"),
        ("sdr.export.card", "from tests.toys import toy", "which is above"),
        ("sdr.nets.paths", "from sdr import cli", "which is above"),
        ("sdr.attic.box", "", "no floor is given to sdr.attic"),
        ("sdr.corpus.store", "import sdr.sources.corpus", "a circle: "),  # beside it, and that one uses this one
    ],
)
def test_a_wrong_import_is_named(module, line, says):
    (found,) = wrong(sources() | {module: line})
    assert says in found
