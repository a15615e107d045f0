"""`sdr route` chooses as the pipeline does."""

import argparse
from pathlib import Path
from typing import get_args

import pytest

from sdr.base.params import load
from sdr.cli import route
from sdr.evaluate.knn import Knn
from sdr.route.candidates import Kind
from sdr.route.default import KNN, ROUTE
from sdr.route.score import ScoreName
from sdr.route.search import Search


def test_the_command_chooses_as_the_pipeline(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    assert load(route=Search, knn=Knn) == {"route": ROUTE, "knn": KNN}


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--method", get_args(Search.model_fields["method"].annotation)),
        ("--score", get_args(ScoreName)),
        ("--candidates", get_args(Kind)),
    ],
)
def test_the_command_takes_what_the_parameters_take(option, known):
    parser = argparse.ArgumentParser()
    route.add(parser.add_subparsers())
    command = parser._subparsers._group_actions[0].choices["route"]
    assert tuple(command._option_string_actions[option].choices) == known


def test_what_the_command_line_says_counts_and_a_score_that_it_names_counts_alone():
    nothing = dict.fromkeys(("method", "score", "prior", "candidates"))
    assert route.asked(argparse.Namespace(**nothing)) == ROUTE
    found = route.asked(argparse.Namespace(**nothing | {"score": "logme", "prior": 0.5, "candidates": ["w0"]}))
    assert (found.score, found.selection.also, found.prior, found.candidates) == ("logme", [], 0.5, ["w0"])
    assert found.selection.rule == ROUTE.selection.rule and found.method == ROUTE.method
