"""The stages `adapt` and `evaluate_adapted`, on a small corpus and task."""

import json
from dataclasses import fields

import numpy as np
import pytest
import torch
import yaml

from sdr.nets.embed import embed
from sdr.nets.folder import load_backbone
from sdr.tasks.task import Task
from sdr.train.adapt import nearest
from stages import adapt, evaluate_adapted
from tests.evaluate.tasks import write_task
from tests.train import toys
from tests.train.test_adapt import SHOW, make_artifacts, recipe

ROOT_PARAMS = {
    "knn": {"k": 5, "temperature": 0.07},
    "linear": {
        "penalties": 3,
        "log10_min": -3,
        "log10_max": 3,
        "tolerance": 1e-4,
        "max_iterations": 50,
        "val_fraction": 0.2,
    },
    "tasks": {"colours": {}},
    "adapt": {"colours": {"images": 12, "steps": 3, "lr": 0.1}},
    "processes": 1,
}


@pytest.fixture
def made(tmp_path, monkeypatch):
    root = make_artifacts(tmp_path, monkeypatch)
    write_task(root / "tasks/colours", size=16)
    shared = recipe().common
    sections = {field.name: getattr(shared, field.name) for field in fields(shared)}
    params = {name: value.model_dump() if hasattr(value, "model_dump") else value for name, value in sections.items()}
    params["pretrain"] = {"optimization": toys.SGD.model_dump(), "log_every": 1}
    params |= {"embed": SHOW.model_dump(), "calibrate": {"images": 16}} | ROOT_PARAMS
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr("sys.argv", ["adapt", "colours"])
    return root


def test_a_task_is_adapted_to_by_its_training_images_and_evaluated(made, capsys):
    adapt.main.__wrapped__()
    out = made / "adapted/colours"
    rows, shown = np.load(out / "images.npy"), Task.open(made / "tasks/colours").images("train")
    cpu = torch.device("cpu")
    features = embed(load_backbone(made / "backbones/baseline", cpu), shown, SHOW, cpu)
    expected = nearest(np.load(made / "features/features.npy"), features, 12, cpu)
    assert rows.tolist() == expected.tolist()
    config = json.loads((out / "config.json").read_text())
    assert config["steps"] == 3 and config["images"] == 12 and config["macs"] > 0
    assert json.loads((made / "timing/adapted/colours.json").read_text())["images"] == 24
    assert not list((made.parent / "scratch/training").glob("adapt-*"))
    evaluate_adapted.main.__wrapped__()
    found = json.loads((made / "eval/adapted/colours.json").read_text())
    assert found["networks"]["adapted"].keys() >= {"linear", "knn"} and found["task"] == "colours"
    assert "adapt colours: 3 steps on 12 corpus images" in capsys.readouterr().out
