"""The two preparing stages, without DVC, in a folder of their own."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdr.corpus.store import ImageStore
from sdr.tasks.task import Task

ROOT = Path(__file__).parents[2]
PARAMS = """
data: {source: folder, side: 16, store: decoded, reencode: null, max_bad_fraction: 0.1}
embed: {side: 16, batch_size: 8}
tasks:
  insects: {source: folder, metric: mean_per_class}
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for folder in (
        "corpus/a",
        "corpus/b",
        *(f"tasks/insects/{s}/{c}" for s in ("train", "test") for c in ("ant", "bee")),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for index in range(6):
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(tmp_path / folder / f"{index}.png")
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    for name, value in {"PYTHONPATH": str(ROOT), "SDR_DATA": "corpus", "SDR_DATA_TASKS": "tasks"}.items():
        monkeypatch.setenv(name, value)
    for name in ("DVC_ROOT", "DVC_STAGE", "SDR_SCRATCH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(workplace, monkeypatch, capsys):
    """Run a stage here; return what it printed, or its error."""

    def run(program: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        try:
            importlib.import_module(f"stages.{program}").main()
        except SystemExit as left:
            return str(left.code)
        return capsys.readouterr().out

    return run


def _program(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_corpus_and_task_are_prepared_by_plain_programs(workplace):
    assert "corpus: 12 images; domains: 2" in _program("stages.prepare")
    assert ImageStore.open(workplace / "artifacts/data").read(np.arange(12)).shape == (12, 16, 16, 3)

    _program("stages.manifest", "insects")
    said = _program("stages.prepare_task", "insects")
    assert "insects: 12 train, 0 val, 12 test images, 2 classes, chance 50.0 %, raw pixels" in said
    assert Task.open(workplace / "artifacts/tasks/insects").metric == "mean_per_class"


@pytest.mark.parametrize(
    ("command", "environment", "message"),
    [
        (["prepare"], {"SDR_DATA": ""}, "SDR_DATA is not set"),
        (["prepare"], {"SDR_DATA": "nowhere"}, "nowhere does not exist"),
        (
            ["prepare_task", "insects"],
            {},
            "manifests/tasks/insects.csv: not found; run `dvc repro manifest@insects`",
        ),
        (["prepare_task", "birds"], {}, "`birds` is not in `tasks`"),
        (["prepare_task", "voc07.12"], {}, "tasks: name 'voc07.12': use letters"),
        (["prepare_task"], {}, "TASK; TASK is one of `tasks`: insects"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(workplace, run, monkeypatch, command, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    error = run(*command)
    assert error.startswith("error: ") and message in error and len(error.splitlines()) == 1
    assert [path.name for path in workplace.rglob("artifacts/**/*") if path.is_file()] == []


def _spoil_one(task: Path) -> str:
    (task / "test/ant/0.png").write_bytes((task / "test/ant/0.png").read_bytes()[:50])
    return "1 of 24 files cannot be read as images, data.max_bad_fraction allows 0.00%"


def _empty_class(task: Path) -> str:
    (task / "train/cow").mkdir()
    return "train/cow: this class folder is empty"


def _class_only_in_test(task: Path) -> str:
    (task / "test/ant").rename(task / "test/cow")
    return "class cow is in test but not in train"


@pytest.mark.parametrize("spoil", [_spoil_one, _empty_class, _class_only_in_test])
def test_a_bad_task_is_told_and_leaves_what_was_there(workplace, run, spoil):
    (workplace / "params.yaml").write_text(PARAMS.replace("0.1", "0.0"))
    (workplace / "artifacts/tasks/insects").mkdir(parents=True)
    (workplace / "artifacts/tasks/insects/meta.json").write_text("of an earlier run")
    message = spoil(workplace / "tasks/insects")
    run("manifest", "insects")
    error = run("prepare_task", "insects")
    assert error.startswith("error: ") and message in error
    left = [path for path in (workplace / "artifacts/tasks").rglob("*") if path.is_file()]
    assert left == [workplace / "artifacts/tasks/insects/meta.json"]
    assert left[0].read_text() == "of an earlier run"


def test_a_file_that_changed_since_the_manifest_is_told(workplace, run):
    run("manifest", "insects")
    task = workplace / "tasks/insects"
    (task / "train/ant/6.png").write_bytes((task / "train/ant/0.png").read_bytes())
    error = run("prepare_task", "insects")
    assert "such as insects/train/ant/6.png; run `python -m tools.refresh insects`" in error


def test_warnings_are_printed(workplace, run):
    task = workplace / "tasks/insects"
    (task / "test/ant/0.png").write_bytes((task / "train/ant/0.png").read_bytes())
    (task / "test/ant/1.png").write_text("no picture")
    run("manifest", "insects")
    said = run("prepare_task", "insects")
    overlap = "insects/train/ant/0.png and insects/test/ant/0.png"
    assert f"warning: insects: 1 images are in both splits of train-test, such as {overlap}" in said
    assert "warning: insects: 1 files could not be read and were left out, such as insects/test/" in said
