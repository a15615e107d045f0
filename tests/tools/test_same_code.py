"""What counts as a change of code."""

import subprocess
from pathlib import Path

import pytest
import yaml

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
    [
        ("+ 1", "+ 2"),
        ("exp(x)", "exp(-x)"),
        ("float) ->", "int) ->"),
        ("f(", "g("),
        ("+ 1", "+ 1.0"),
        ("exp(x) + 1", "exp(x +"),
    ],
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


def version(text: str) -> str:
    """Git's hash of a version of m.py that has been there."""
    return subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], input=text, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_versions_known_to_compute_the_same_do_not(commit, monkeypatch):
    faster = CODE.replace("exp(x) + 1", "1 + exp(x)")
    Path("m.py").write_text(faster.replace("# a comment", "# other words"))
    Path("known.yaml").write_text(f"m.py: [{version(CODE)}, {version(faster)}]\n")
    monkeypatch.setattr("tools.same_code.SAME_BITS", Path("known.yaml"))
    assert same_code("m.py", commit)
    same_code.cache_clear()
    Path("m.py").write_text(faster.replace("1 + exp", "2 + exp"))
    assert not same_code("m.py", commit)  # neither of them


@pytest.mark.parametrize("known", ["", "other.py: [{0}, {1}]\n", "m.py: [{0}]\n", "m.py: [{0}, 0123456789ab]\n"])
def test_others_do(commit, monkeypatch, known):
    faster = CODE.replace("exp(x) + 1", "1 + exp(x)")
    Path("m.py").write_text(faster)
    Path("known.yaml").write_text(known.format(version(CODE), version(faster)))
    monkeypatch.setattr("tools.same_code.SAME_BITS", Path("known.yaml"))
    assert not same_code("m.py", commit)


def test_the_repositorys_own_list_names_files_of_the_pipeline_and_versions_that_git_has():
    root = Path(__file__).parents[2]
    shallow = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=root, capture_output=True, text=True)
    if shallow.stdout.strip() != "false":
        pytest.skip("the repository's history is not here")
    for path, versions in (yaml.safe_load((root / "tools/same_bits.yaml").read_text()) or {}).items():
        assert (root / path).is_file()
        assert len(versions) > 1
        for blob in versions:
            subprocess.run(["git", "cat-file", "-e", f"{blob}^{{blob}}"], cwd=root, check=True)
