"""What ruff does not look at: a field is described in one way, by a docstring below it."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def commented(text: str) -> Iterator[str]:
    """Fields of parameter classes and dataclasses that a comment beside or above them describes."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and declares_fields(node):
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    above = field.lineno - 1 in comments and lines[field.lineno - 2].lstrip().startswith("#")
                    if above or comments & {*range(field.lineno, (field.end_lineno or 0) + 1)}:
                        yield f"{node.name}.{ast.unparse(field.target)}"


def declares_fields(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(one) for one in node.decorator_list) or any(
        ast.unparse(base) == "Section" for base in node.bases
    )


def test_fields_are_described_by_a_docstring_below():
    found = {str(path.relative_to(ROOT)): list(commented(path.read_text())) for path in (ROOT / "sdr").rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "body", ["    a: int  # pixels\n", "    # pixels\n    a: int\n", "    a: int = (\n        1  # pixels\n    )\n"]
)
def test_a_comment_is_seen(body):
    assert list(commented(f"class Views(Section):\n{body}")) == ["Views.a"]
    assert list(commented(f"class Views:\n{body}")) == []
    assert list(commented('class Views(Section):\n    a: int\n    """Pixels."""\n')) == []
