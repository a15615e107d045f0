"""The kills, on a run that takes a second: three stages that burn time and write a file each, and go on where they were."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import kills

STAGES = ("prepare", "pretrain", "route@noise")
PROGRAM = f"""
import pathlib, time
for number, stage in enumerate({STAGES}, 1):
    made = pathlib.Path("artifacts", stage)
    if not made.exists():
        print(f"[{{number}}/3] {{stage}}, at most about 1 s left in all", flush=True)
        while time.process_time() < 0.15 * number + 0.05:
            pass
        made.parent.mkdir(exist_ok=True)
        made.write_text(stage)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A new one each time it is called."""
    monkeypatch.setattr(kills, "COMMAND", [sys.executable, "-S", "-c", PROGRAM])
    numbers = iter(range(9))

    def make() -> Path:
        root = tmp_path / f"{next(numbers)}"
        root.mkdir()
        return root

    return make


def test_every_stage_is_killed_and_the_end_is_the_same(repository):
    whole = repository()
    costs = kills.uninterrupted(whole, dict(os.environ))
    assert list(costs) == ["", *STAGES] and all(cost > 0 for cost in costs.values())
    root, found = repository(), Counter()
    planned = [(stage, 0.02) for stage in STAGES]
    kills.kill_in_stages(root, dict(os.environ), costs, planned, found)
    assert not planned and found == {"prepare": 1, "pretrain": 1, "route": 1, "with a kept state": 0}
    assert kills.contents(root) == kills.contents(whole) and len(kills.contents(root)) == 3
    (root / "artifacts/pretrain").write_text("other")
    assert kills.contents(root) != kills.contents(whole)


@pytest.mark.parametrize("number", [2, 4, 50])
def test_kills_are_spread_over_all_stages(number):
    costs = {"": 1.0} | dict.fromkeys(STAGES, 4.0)
    planned = kills.plan(costs, number, random.Random(0))
    stages = [stage for stage, _ in planned]
    assert len(planned) == number and stages == sorted(stages, key=list(costs).index)
    assert number < 4 or set(stages) == set(costs)
    assert all(0 <= wait < costs[stage] for stage, wait in planned)
    if number == 50:
        assert min(stages.count("pretrain"), stages.count("route@noise")) > 20 and stages.count("prepare") == 1


WRITER = (
    "import pathlib\nfor n in range(3):\n    with open('dvc.lock', 'w') as file:\n        file.write(f'{n}' * 10)\n"
)


@pytest.mark.parametrize(
    ("cut", "left"),
    [("dvc.lock 1 0.9", ""), ("dvc.lock 2 0.0", ""), ("dvc.lock 2 0.5", "11111"), ("dvc.lock 3 1", "2" * 10)],
)
def test_a_file_is_cut_where_it_is_said(tmp_path, cut, left):
    shutil.copyfile(Path(kills.__file__).with_name("killer.py"), tmp_path / "sitecustomize.py")
    run = subprocess.run(
        [sys.executable, "-c", WRITER],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "SDR_CUT": cut},
        start_new_session=True,
    )
    assert run.returncode == -signal.SIGKILL and (tmp_path / "dvc.lock").read_text() == left


def test_without_a_word_nothing_is_cut(tmp_path):
    shutil.copyfile(Path(kills.__file__).with_name("killer.py"), tmp_path / "sitecustomize.py")
    subprocess.run([sys.executable, "-c", WRITER], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, check=True)
    assert (tmp_path / "dvc.lock").read_text() == "2" * 10
