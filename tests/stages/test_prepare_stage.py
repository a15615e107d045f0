"""The two preparing stages as programs, in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdr.data.store import ImageStore
from sdr.data.task import Task

ROOT = Path(__file__).parents[2]
PARAMS = """
data: {source: folder, size: 16, pack: true, max_bad_fraction: 0.1}
tasks:
  insects: {source: folder, metric: mean_per_class}
"""


@pytest.fixture
def workplace(tmp_path):
    rng = np.random.default_rng(0)
    for folder in (
        "corpus/a",
        "corpus/b",
        *(f"tasks/insects/{s}/{c}" for s in ("train", "test") for c in ("ant", "bee")),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for index in range(6):
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
                tmp_path / folder / f"{index}.png"
            )
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def _run(workplace, *command, **environment):
    names = {"PYTHONPATH": str(ROOT), "SDR_DATA": "corpus", "SDR_DATA_TASKS": "tasks"} | environment
    command = [sys.executable, "-m", *command]
    return subprocess.run(command, cwd=workplace, env=os.environ | names, capture_output=True, text=True)


def test_corpus_and_task_are_prepared(workplace):
    done = _run(workplace, "stages.prepare")
    assert done.returncode == 0, done.stderr
    assert "corpus: 12 images; domains: 2" in done.stdout
    assert ImageStore.open(workplace / "artifacts/data").read(np.arange(12)).shape == (12, 16, 16, 3)

    done = _run(workplace, "stages.prepare_task", "insects")
    assert done.returncode == 0, done.stderr
    assert "insects: 12 train, 0 val, 12 test images, 2 classes, chance 50.0 %" in done.stdout
    assert Task.open(workplace / "artifacts/tasks/insects").metric == "mean_per_class"


@pytest.mark.parametrize(
    ("command", "environment", "message"),
    [
        (["stages.prepare"], {"SDR_DATA": ""}, "SDR_DATA is not set"),
        (["stages.prepare"], {"SDR_DATA": "nowhere"}, "nowhere does not exist"),
        (["stages.prepare_task", "insects"], {"SDR_DATA_TASKS": "nowhere"}, "nowhere does not exist"),
        (["stages.prepare_task", "birds"], {}, "tasks.birds"),
        (["stages.prepare_task"], {}, "usage: python -m stages.prepare_task NAME"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(workplace, command, environment, message):
    done = _run(workplace, *command, **environment)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    left = [path.name for path in workplace.rglob("artifacts/**/*") if path.is_file()]
    assert left == []


def test_an_overlap_of_splits_is_reported(workplace):
    task = workplace / "tasks/insects"
    (task / "test/ant/0.png").write_bytes((task / "train/ant/0.png").read_bytes())
    done = _run(workplace, "stages.prepare_task", "insects")
    assert done.returncode == 0
    assert "warning: insects: 1 images are in both splits of train-test" in done.stdout
