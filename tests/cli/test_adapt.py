"""`sdr adapt` where a small pipeline has run."""

import json
from dataclasses import fields

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image

from sdr.nets.calibrate import statistics
from tests.train import toys
from tests.train.test_adapt import SHOW, make_artifacts, recipe


@pytest.fixture
def run(tmp_path, monkeypatch, sdr):
    """Run a command line beside `artifacts`, params.yaml and pictures of a task in `mine`; return what it printed, or its error."""
    make_artifacts(tmp_path, monkeypatch)
    shared = recipe().common
    sections = {field.name: getattr(shared, field.name) for field in fields(shared)}
    params = {name: value.model_dump() if hasattr(value, "model_dump") else value for name, value in sections.items()}
    params["pretrain"] = {"optimization": toys.SGD.model_dump(), "log_every": 1}
    params |= {"embed": SHOW.model_dump(), "calibrate": {"images": 16}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for i in range(6):
        path = tmp_path / f"mine/birds/{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 4 * i, np.uint8)).save(path)
    return lambda line: sdr(*line.split())


def test_the_network_is_exported_with_a_card(run, tmp_path):
    said = run("adapt --images mine --out net --nearest 10 --steps 3")
    assert "trained on with 10 corpus images" in said and "local-dir:net" in said
    network = timm.create_model(f"local-dir:{tmp_path / 'net'}", pretrained=True).eval()
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 12) and torch.isfinite(statistics(network)).all()
    card = (tmp_path / "net/README.md").read_text()
    assert "# Baseline, trained on for mine" in card and "| images nearest to the task's | 10 |" in card
    assert "sdr adapt --images mine" in card and "steps: 3" in card and "| trained on for the task | mine |" in card
    assert json.loads((tmp_path / "net/config.json").read_text())["num_features"] == 12
    assert not list((tmp_path / "scratch/training").glob("adapt-*"))
    assert "is there already" in run("adapt --images mine --out net")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("adapt --images nowhere --out net", "nowhere: not found"),
        ("adapt --images mine --out net --artifacts nowhere", "nowhere: not found; it should be a folder with data"),
        ("adapt --images mine --out net --nearest 1", "--nearest must be at least 2"),
        ("adapt --images mine --out net --lr 0", "--lr 0: give a number above 0"),
    ],
)
def test_a_wrong_command_is_one_message(run, tmp_path, line, says):
    assert says in run(line) and not (tmp_path / "net").exists()
