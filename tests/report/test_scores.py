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
        networks = {"w0": evaluation(*scores), "sdr": evaluation(scores[0] + 1, scores[1])}
        (tmp_path / f"{task}.json").write_text(json.dumps({"networks": networks}))
    found = read_scores(tmp_path, ["a", "b"])
    assert found["w0"] == {
        "linear": {"a": 50.13, "b": 60.0, "mean": 55.06},
        "knn": {"a": 40.0, "b": 30.5, "mean": 35.25},
    }
    assert found["sdr"]["linear"]["mean"] == 56.06
    with pytest.raises(UserError, match="c.json: missing"):
        read_scores(tmp_path, ["a", "c"])
    with pytest.raises(UserError, match="`tasks` is empty"):
        read_scores(tmp_path, [])


def test_spread_is_over_the_sub_nets_that_were_tried(tmp_path):
    values = {"a": [1.0, 4.0, np.nan, 7.0], "b": [2.0, 2.0, 2.0, 2.0]}
    for task, column in values.items():
        (tmp_path / task).mkdir()
        rows = "\n".join(f"{i},{'' if np.isnan(v) else v}" for i, v in enumerate(column))
        (tmp_path / task / "ranking.csv").write_text(f"subnet,score\n{rows}\n")
    assert spread(tmp_path, values) == {"a": 2.449, "b": 0.0, "mean": 1.225}


def test_what_training_took():
    assert training({"images": 10, "seconds": 2.5, "device": "cpu"}, 3.25e12) == {
        "images": 10,
        "teramacs": 3.25,
        "seconds": 2.5,
    }
