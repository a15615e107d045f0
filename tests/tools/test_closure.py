from pathlib import Path

import pytest

from tools.closure import closure


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    "statement",
    [
        "import sdr.a.b",
        "import os, sdr.a.b as c",
        "from sdr.a import b",
        "from sdr.a.b import function",
        "from sdr.a.b import *",
        "def late():\n    from sdr.a import b",
        "try:\n    import sdr.a.b\nexcept ImportError:\n    pass",
    ],
)
def test_every_form_of_import_counts(tmp_path, statement):
    write(tmp_path, {"sdr/a/b.py": "", "sdr/a/other.py": "", "sdr/__init__.py": "", "stages/s.py": statement})
    assert closure(Path("stages/s.py"), tmp_path) == ["sdr/a/b.py", "stages/s.py"]


def test_imports_of_imports_and_cycles(tmp_path):
    write(tmp_path, {"stages/s.py": "import sdr.a", "sdr/a.py": "from sdr import b", "sdr/b.py": "import sdr.a"})
    assert closure(Path("stages/s.py"), tmp_path) == ["sdr/a.py", "sdr/b.py", "stages/s.py"]


@pytest.mark.parametrize(
    "statement", ["from . import b", "from .b import x", "from ..p.b import x", "from .. import p"]
)
def test_relative_imports(tmp_path, statement):
    write(tmp_path, {"sdr/p/a.py": statement, "sdr/p/b.py": "", "sdr/p/__init__.py": "from . import b"})
    assert closure(Path("sdr/p/a.py"), tmp_path) == ["sdr/p/__init__.py", "sdr/p/a.py", "sdr/p/b.py"]


def test_packages_that_do_something_count_and_empty_ones_do_not(tmp_path):
    write(
        tmp_path,
        {
            "stages/s.py": "import sdr.a.b",
            "sdr/__init__.py": "\n",
            "sdr/a/__init__.py": "import sdr.c",
            "sdr/a/b.py": "",
            "sdr/c.py": "",
        },
    )
    assert closure(Path("stages/s.py"), tmp_path) == [
        "sdr/a/__init__.py",
        "sdr/a/b.py",
        "sdr/c.py",
        "stages/s.py",
    ]


def test_foreign_and_missing_modules_do_not_count(tmp_path):
    write(tmp_path, {"stages/s.py": "import torch, sdrx\nfrom sdr.missing import x\nfrom json import sdr"})
    assert closure(Path("stages/s.py"), tmp_path) == ["stages/s.py"]


def test_templates_named_in_quotes_count_and_theirs_too(tmp_path):
    write(
        tmp_path,
        {
            "stages/s.py": "import sdr.page",
            "sdr/page.py": "template = 'page.html.j2'\nother = 'absent.html'",
            "sdr/page.html.j2": '{% include "part.html.j2" %}',
            "sdr/part.html.j2": "",
            "sdr/unused.html.j2": "",
            "stages/page.css": "",
        },
    )
    assert closure(Path("stages/s.py"), tmp_path) == [
        "sdr/page.html.j2",
        "sdr/page.py",
        "sdr/part.html.j2",
        "stages/s.py",
    ]
