"""What is recommended for a task, and how it differs from the baseline, against values worked out by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from sdr.report.difference import beside, difference
from sdr.report.page import page, write_report
from sdr.report.run import TaskRun, read_run
from sdr.report.terminal import print_verdicts
from sdr.report.verdicts import verdict_of
from sdr.route.choose import NO_EVIDENCE, SUPERNET, TAKE_IT
from tests.report.conftest import COST, TASKS, write_artifacts


def task(verdict, raw_knn=10.0, pixels=None, w0=True):
    scores = {"baseline": 60.0, "sdr": 63.0} | ({"w0": 64.0} if w0 else {})
    networks = {n: {"linear": v, "knn": v - 10, "linear_interval": [v - 3, v + 4]} for n, v in scores.items()}
    names = {"take it": "sub-net 3", "try the super-net": "super-net W_0"}
    route = {"subnet": 5, "choice": {"name": "sub-net 3"}, "verdict": verdict}
    route |= {"recommended": {"name": names.get(verdict, "baseline")}, "gain": {"mean": 1.5, "low": -1.0, "high": 4.0}}
    values = {"linear": pixels, "knn": raw_knn, "linear_interval": [pixels, pixels]} if pixels else {}
    others = {"pixels": values} if pixels else {}
    return TaskRun("birds", {"raw_knn": raw_knn}, pd.DataFrame(), route, networks, others)


@pytest.mark.parametrize(
    ("words", "kind", "network", "mean", "of_another"),
    [
        (TAKE_IT, "take", "sub-net 3", 3.0, False),
        (NO_EVIDENCE, "none", "baseline", 3.0, True),
        (SUPERNET, "supernet", "super-net W_0", 4.0, False),
    ],
)
def test_the_network_and_its_place_follow_the_verdict(words, kind, network, mean, of_another):
    found = verdict_of(task(words))
    assert (found.kind, found.network, found.difference.mean) == (kind, network, mean)
    assert (found.promise.low, found.is_of_another) == (-1.0, of_another)
    assert found.folder == "artifacts/route/birds/recommended" and found.folder in found.line  # one place for all


def test_a_supernet_that_was_not_evaluated_is_recommended_with_the_choices_difference():
    found = verdict_of(task(SUPERNET, raw_knn=99.0, w0=False))
    assert (found.network, found.compared, found.difference.mean) == ("super-net W_0", "sub-net 3", 3.0)
    assert found.is_of_another and found.below_raw == []  # not known


@pytest.mark.parametrize(("words", "below"), [(TAKE_IT, ["kNN"]), (NO_EVIDENCE, ["linear", "kNN"])])
def test_below_raw_pixels_is_judged_on_the_network_that_is_recommended(words, below):
    assert verdict_of(task(words, raw_knn=53.5, pixels=62.0)).below_raw == below
    assert verdict_of(task(words, raw_knn=None)).below_raw == []


def test_every_network_stands_beside_the_choice_and_raw_pixels_are_not_below_themselves():
    rows = {row.name: row for row in beside(task(TAKE_IT, raw_knn=70.0, pixels=62.0))}
    assert list(rows) == ["baseline", "routing’s choice", "super-net W_0", "pixels"]
    assert rows["baseline"].difference is None and rows["pixels"].difference.mean == 2.0
    below = {name: row.below_raw for name, row in rows.items()}
    assert below == {"baseline": ["linear", "kNN"], "routing’s choice": ["kNN"], "super-net W_0": ["kNN"], "pixels": []}


def test_the_interval_is_paired_where_resamples_were_kept():
    shared = np.random.default_rng(0).normal(0, 5, 1000)
    own, other = list(63 + shared), list(60 + shared)
    values = {"linear_interval": [50.0, 70.0]}
    found = difference({"linear": 63.0, "linear_resamples": own} | values, {"linear": 60.0, "linear_resamples": other})
    assert (found.low, found.high) == pytest.approx((3, 3))
    own[0] = None  # undefined in this resample
    assert difference(
        {"linear": 63.0, "linear_resamples": own}, {"linear": 60.0, "linear_resamples": other}
    ).low == pytest.approx(3)


def test_without_resamples_it_comes_from_both_intervals():
    found = difference({"linear": 63.0, "linear_interval": [60, 66]}, {"linear": 60.0, "linear_interval": [56, 64]})
    assert (found.mean, found.low, found.high) == (3.0, -2.0, 8.0)


def test_the_terminal_tells_verdict_place_and_flag(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_verdicts([verdict_of(task(TAKE_IT, raw_knn=90.0)), verdict_of(task(NO_EVIDENCE))])
    shown = capsys.readouterr().out
    for part in (
        "take it",
        "BELOW RAW PIXELS:",
        "+3.00 (−2.00",
        "+1.50 (−1.00 to +4.00)",
        "artifacts/route/birds/recommended",
        "no evidence",
    ):
        assert part in shown


def test_the_page_begins_with_the_verdicts_and_dvc_gets_the_differences(tmp_path):
    run = read_run(write_artifacts(tmp_path, TASKS, 4), TASKS, 4, 0)
    text = page(run, COST, {})
    head = text[: text.index('<details class="section"')]
    for name in TASKS:
        found = verdict_of(next(task for task in run.tasks if task.name == name))
        assert all(part in head for part in (name, found.words, found.folder))
    assert 'id="dots"' in text[len(head) :] and text.count("<circle") == 4 * len(TASKS)
    (tmp_path / "report").mkdir()
    write_report(run, COST, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report/plots/differences.csv")
    assert list(table["task"]) == TASKS and (table["low"] <= table["difference"]).all()
    assert json.dumps(list(table.columns)) == '["task", "difference", "low", "high"]'
