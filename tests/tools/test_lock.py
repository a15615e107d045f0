import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = [Requirement(line.rstrip(" \\")) for line in LOCK.splitlines() if line and line[0] not in " #"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = [Requirement(text) for text in sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])]
SYSTEMS = [
    default_environment() | {"sys_platform": system, "platform_machine": machine, "python_version": python}
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
    for python in ("3.11", "3.12", "3.13")
]


def test_the_lock_names_no_place():
    assert not re.search(r"://|--(index|extra-index|find-links|trusted-host)", LOCK)


def test_every_package_has_one_exact_version_and_hashes():
    blocks = re.split(r"\n(?=\S)", LOCK.split("\n", 1)[1].strip())
    assert len(blocks) == len(PINS) > 100
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==[^\s;]+", block) and "--hash=sha256:" in block, block


@pytest.mark.parametrize(
    "system", SYSTEMS, ids=lambda s: f"{s['sys_platform']}-{s['platform_machine']}-{s['python_version']}"
)
def test_every_requirement_is_locked_on_every_system(system):
    pinned = {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate(system)
    }
    for asked in ASKED:
        if asked.marker is None or asked.marker.evaluate(system):
            name = canonicalize_name(asked.name)
            assert name in pinned and asked.specifier.contains(pinned[name]), f"{asked}: run `make lock`"
