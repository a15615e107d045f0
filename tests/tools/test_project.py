"""What is installed of this project, and what a public project has."""

import configparser
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel of a copy of the tracked files, built with what is installed here."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=-1, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(out.glob("sdr-*.whl")))


def test_the_wheel_holds_the_package_alone_and_all_of_it(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    kinds = (".py", ".j2", ".css", ".js", ".typed")
    files = {file for file in (ROOT / "sdr").rglob("*") if file.suffix in kinds or file.name == "py.typed"}
    assert names == {file.relative_to(ROOT).as_posix() for file in files}
    assert {"sdr/py.typed", "sdr/export/card.md.j2", "sdr/report/page.css"} <= names


def test_the_wheel_says_what_it_is(wheel):
    info = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    meta = message_from_bytes(wheel.read(info))
    assert meta["License-Expression"] == "Apache-2.0" and meta["License-File"] == "LICENSE"
    assert {"pipeline", "demo", "dev"} <= {*meta.get_all("Provides-Extra")}
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(info.replace("METADATA", "entry_points.txt")).decode())
    assert dict(scripts["console_scripts"]) == {"sdr": "sdr.cli:main"}


def test_the_citation_names_the_paper_and_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert [author["family-names"] for author in cited["preferred-citation"]["authors"]][:2] == ["Liu", "Han"]


def test_checks_before_a_commit_fetch_nothing():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local" and {hook["language"] for hook in repo["hooks"]} == {"system"}
