"""The files of this repository that a module needs to run: its imports, theirs, and templates beside them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("sdr", "stages")


def closure(program: Path, root: Path = Path()) -> list[str]:
    """Return, sorted, the files under `root` that `program` needs, itself included.

    Counted are modules of `PACKAGES`, imported anywhere in a module (inside functions too); the `__init__.py`
    files above them unless empty; and other files beside a module, such as templates, that the module or a
    file counted for it names in quotes.

    Args:
        program: a Python file, relative to `root`.
        root: the repository.

    Raises:
        SyntaxError: one of the modules is not valid Python.
    """
    found: set[Path] = set()
    waiting = [program]
    while waiting:
        file = waiting.pop()
        if file in found or (file.name == "__init__.py" and not (root / file).read_text().strip()):
            continue
        found.add(file)
        waiting += _named_beside(file, root)
        if file.suffix == ".py":
            waiting += _imported(file, root)
    return sorted(file.as_posix() for file in found)


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """Files that the import statements of a module run."""
    package = file.parent.parts
    for node in ast.walk(ast.parse((root / file).read_text(), str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(tuple(alias.name.split(".")), root)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            origin = above + tuple(node.module.split(".") if node.module else ())
            yield from _modules(origin, root)
            for alias in node.names:
                yield from _modules((*origin, alias.name), root)


def _modules(name: tuple[str, ...], root: Path) -> Iterator[Path]:
    """The file of a module and the `__init__.py` of each package above it; nothing for foreign names."""
    if name[0] not in PACKAGES:
        return
    for length in range(1, len(name) + 1):
        path = Path(*name[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if (root / file).is_file():
                yield file


def _named_beside(file: Path, root: Path) -> Iterator[Path]:
    """Files beside `file`, other than modules, whose names stand in quotes in it."""
    quoted = set(re.findall(r"""["']([\w-]+(?:\.[\w-]+)+)["']""", (root / file).read_text()))
    for name in quoted:
        beside = file.with_name(name)
        if beside.suffix != ".py" and (root / beside).is_file():
            yield beside
