"""Scores over all tasks: means, spread over sub-nets, and what is missing is named."""

import json

import numpy as np
import pytest

from sdr.base.errors import UserError
from sdr.report.scores import read_scores, spread, training


def evaluation(linear: float, knn: float) -> dict:
    return {"linear": linear, "knn": knn, "more": []}


def test_scores_and_their_means(tmp_path):
    for task, scores in {"a": (50.126, 40), "b": (60, 30.5)}.items():
        for folder, networks in (
            ("w0", {"w0": evaluation(*scores)}),
            ("sdr", {"sdr": evaluation(1, 2), "votes": evaluation(3, 4)}),
        ):
            file = tmp_path / f"eval/{folder}/{task}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"networks": networks}))
    assert read_scores(tmp_path, "w0", ["a", "b"]) == {
        "linear": {"a": 50.13, "b": 60.0, "mean": 55.06},
        "knn": {"a": 40.0, "b": 30.5, "mean": 35.25},
    }
    assert read_scores(tmp_path, "votes", ["a"])["linear"] == {"a": 3.0, "mean": 3.0}
    with pytest.raises(UserError, match="c.json: missing"):
        read_scores(tmp_path, "w0", ["a", "c"])
    with pytest.raises(UserError, match="`tasks` is empty"):
        read_scores(tmp_path, "w0", [])


def test_spread_is_over_the_sub_nets_that_were_tried(tmp_path):
    values = {"a": [1.0, 4.0, np.nan, 7.0], "b": [2.0, 2.0, 2.0, 2.0]}
    for task, column in values.items():
        (tmp_path / task).mkdir()
        rows = "\n".join(f"{i},{'' if np.isnan(v) else v}" for i, v in enumerate(column))
        (tmp_path / task / "ranking.csv").write_text(f"subnet,score\n{rows}\n")
    assert spread(tmp_path, values) == {"a": 2.449, "b": 0.0, "mean": 1.225}


def test_what_training_took(tmp_path):
    configs = {
        "baseline": {"macs": 10**12},
        "sdrnet": {"macs": {"baseline": 1, "w0": 2 * 10**12, "subnet": 3 * 10**12}, "w0_images": 4},
    }
    for name, config in configs.items():
        for file, value in ((f"{name}/config.json", config), (f"timing/{name}.json", {"images": 10, "seconds": 2.5})):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(json.dumps(value))
    assert training(tmp_path, "baseline") == {"images": 10, "teramacs": 10.0, "seconds": 2.5}
    assert training(tmp_path, "sdrnet") == {"images": 10, "teramacs": 4 * 2 + 6 * 3.0, "seconds": 2.5}
