"""The stages `backbone` and `evaluate`: what they write, and what a user gets who does something wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import stages.backbone
import stages.evaluate
from sdr.nets.folder import load_resnet
from tests.evaluate.tasks import write_task
from tests.stages.program import run

ROOT = Path(__file__).parents[2]
PARAMS = """
seed: 0
processes: 1
backbone: {block: basic, layers: [1, 1, 1, 1], shared: [4, 4, 4, 4], group: [2, 2, 2, 2], groups: 2, stem_type: deep,
  stem_width: 8}
embed: {side: 12, batch_size: 8}
knn: {k: 3, temperature: 0.07}
linear: {penalties: 5, log10_min: -2, log10_max: 2, tolerance: 1.0e-6, max_iterations: 50, val_fraction: 0.2}
tasks: {colours: {}, shapes: {}}
networks: [raw]
compare:
  raw: {source: pixels, side: 4}
  start: {source: random}
  moco_v2: {source: checkpoint, layout: moco_v2, file: moco_v2.pth.tar}
  sdr: {source: random}
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(PARAMS)
    write_task(tmp_path / "artifacts/tasks/colours")
    monkeypatch.chdir(tmp_path)
    for name in ("SDR_CHECKPOINTS", "SDR_DEVICE", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_raw_pixels_are_evaluated_as_any_network(workplace, monkeypatch):
    run(stages.backbone, monkeypatch, "raw")
    command = [sys.executable, "-m", "stages.evaluate", "colours", "raw"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SDR_DEVICE": "cpu"}
    done = subprocess.run(command, cwd=workplace, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "evaluate colours: raw 100.00 % (kNN 100.00 %)\n"
    result = json.loads((workplace / "artifacts/eval/raw/colours.json").read_text())
    assert (result["task"], result["metric"], list(result["networks"])) == ("colours", "top1", ["raw"])
    assert result["networks"]["raw"]["dim"] == 48


def test_a_random_network_is_written_the_same_each_time(workplace, monkeypatch):
    run(stages.backbone, monkeypatch, "start")
    folder = workplace / "artifacts/backbones/start"
    assert load_resnet(folder).num_features == 6
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(first) == {"model.safetensors", "config.json"}
    run(stages.backbone, monkeypatch, "start")
    assert first == {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("stage", "arguments", "message"),
    [
        (stages.backbone, [], "NAME is one of `compare`: raw, start, moco_v2, sdr"),
        (stages.backbone, ["mocha"], "`mocha` is not in `compare`"),
        (stages.backbone, ["moco_v2"], "SDR_CHECKPOINTS is not set"),
        (stages.backbone, ["sdr"], "compare.sdr: a column of our own tables has this name"),
        (stages.evaluate, ["colours"], "TASK is one of `tasks`: colours, shapes; NETWORK is one of `networks`: raw"),
        (stages.evaluate, ["shapes", "raw"], "artifacts/tasks/shapes/meta.json: not found"),
        (stages.evaluate, ["colours", "raw"], "artifacts/backbones/raw/config.json: not found"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(workplace, monkeypatch, stage, arguments, message):
    before = files(workplace)
    with pytest.raises(SystemExit) as left:
        run(stage, monkeypatch, *arguments)
    assert left.value.code.startswith("error: ") and message in left.value.code
    assert "\n" not in left.value.code
    assert files(workplace) == before
