"""What counts as a change of code."""

import subprocess
from pathlib import Path

import pytest

from tools.same_code import same_code

CODE = '''"""A module."""

from math import (
    exp,
)


def f(x: float) -> float:
    """A function."""
    # a comment
    return exp(x) + 1  # another
'''


@pytest.fixture
def commit(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    same_code.cache_clear()
    Path("m.py").write_text(CODE)
    Path("table.csv").write_text("a,1\n")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *who, *command], check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# other words"),
        ("    # a comment\n", ""),
        ('"""A function."""', '"""Other words."""'),
        ('    """A function."""\n', '    """One.\n\n    More.\n    """\n'),
        ('"""A module."""\n', '"""Another."""\n'),
        ("(\n    exp,\n)", "exp"),
        ("\n\n\n", "\n\n"),
        ("exp(x) + 1", "(exp(x)) + 1"),
    ],
)
def test_words_and_form_do_not(commit, old, new):
    assert CODE.replace(old, new) != CODE
    Path("m.py").write_text(CODE.replace(old, new))
    assert same_code("m.py", commit)


@pytest.mark.parametrize(
    ("old", "new"),
    [("+ 1", "+ 2"), ("exp(x)", "exp(-x)"), ("float) ->", "int) ->"), ("f(", "g("), ("+ 1", "+ 1.0"), ("exp(x) + 1", "exp(x +")],
)
def test_what_is_computed_does(commit, old, new):
    Path("m.py").write_text(CODE.replace(old, new))
    assert not same_code("m.py", commit)


def test_a_string_that_is_no_docstring_does(commit):
    Path("m.py").write_text(CODE + "\nNAME = 'a'\n")
    assert not same_code("m.py", commit)


def test_of_other_files_every_byte_does(commit):
    assert same_code("table.csv", commit)
    same_code.cache_clear()
    Path("table.csv").write_text("a, 1\n")
    assert not same_code("table.csv", commit)


def test_a_file_that_is_gone_is_new_or_of_an_unknown_commit(commit):
    Path("new.py").write_text("")
    assert not same_code("new.py", commit)
    assert not same_code("m.py", "0123456789ab")
    Path("m.py").unlink()
    assert not same_code("m.py", commit)
