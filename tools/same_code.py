"""Whether a file of code computes what it did at a commit: comments, docstrings and the form of lines say nothing of that.

Code may change without changing a bit of what it computes, as when it gets faster. Nothing here can see that: whoever has
checked it writes both versions of the file into same_bits.yaml.
"""

import ast
from functools import cache
from pathlib import Path

import yaml

from sdr.base.errors import UserError
from tools.git import git

SAME_BITS = Path(__file__).with_name(
    "same_bits.yaml"
)  # path of a file → git's hashes of versions that compute the same


@cache
def same_code(path: str, commit: str) -> bool:
    """Whether a file's content is today what it was at a commit: of Python the syntax tree without docstrings, else every byte."""
    try:
        now, then = (
            _essence(path, text) for text in (Path(path).read_text(encoding="utf-8"), git("show", f"{commit}:{path}"))
        )
        return now == then or {now, then} <= _same_bits(path)
    except (FileNotFoundError, UserError, SyntaxError):  # it is not there, was not, or is no Python
        return False


def _same_bits(path: str) -> set[str]:
    """What is essential of the versions of a file that are known to compute the same."""
    known = yaml.safe_load(SAME_BITS.read_text(encoding="utf-8")) or {}
    return {_essence(path, git("cat-file", "blob", blob)) for blob in known.get(path, ())}


def _essence(path: str, text: str) -> str:
    if not path.endswith(".py"):
        return text.rstrip()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body[0] = ast.Pass()
    return ast.dump(tree)
