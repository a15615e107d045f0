"""Whether a file of code computes what it did at a commit: comments, docstrings and the form of lines say nothing of that."""

import ast
from functools import cache
from pathlib import Path

from sdr.errors import UserError
from tools.git import git


@cache
def same_code(path: str, commit: str) -> bool:
    """Whether a file's content is today what it was at a commit: of Python the syntax tree without docstrings, else every byte."""
    try:
        now, then = Path(path).read_text(encoding="utf-8"), git("show", f"{commit}:{path}")
        return _essence(path, now) == _essence(path, then)
    except (FileNotFoundError, UserError, SyntaxError):  # it is not there, was not, or is no Python
        return False


def _essence(path: str, text: str) -> str:
    if not path.endswith(".py"):
        return text.rstrip()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.dump(tree)
