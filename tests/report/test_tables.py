"""The numbers of the result table against values worked out by hand."""

import dataclasses
from dataclasses import replace

import pandas as pd
import pytest

from sdr.report.run import DetectionRun, TaskRun
from sdr.report.tables import (
    below_raw,
    detection_summary,
    markdown,
    mean,
    other_scores,
    scores,
    separated,
    signed,
    summary,
    task_scores,
)
from sdr.report.terminal import print_detection, print_others, print_table


def task(name, linear, knn, width=1.0):
    """A task with (baseline, w0, sdr) scores and intervals of ± width."""
    networks = {
        network: {"linear": a, "knn": b, "linear_interval": [a - width, a + width]}
        for network, a, b in zip(("baseline", "w0", "sdr"), linear, knn, strict=True)
    }
    meta = {"metric": "mean_per_class", "chance": 10.0, "raw_knn": 30.125}
    return TaskRun(name, meta, pd.DataFrame(), {}, networks, {})


def with_others(task, **others):
    """The task, evaluated with other backbones too: name → (linear, kNN)."""
    found = {name: {"linear": linear, "knn": knn} for name, (linear, knn) in others.items()}
    return dataclasses.replace(task, others=found)


DIGITS = task("digits", (80.0, 81.0, 83.5), (70.0, 69.0, 72.25))
KINDS = task("kinds", (50.0, 52.0, 49.25), (40.125, 41.0, 44.0))
COMPARED = [
    with_others(DIGITS, random=(40.0, 30.0), moco=(90.004, 60.0)),
    with_others(KINDS, random=(20.0, 10.0), moco=(50.0, 50.5)),
]
DEMO = DetectionRun(
    "demo",
    {
        "baseline": {"ap": 30.0, "ap50": 60.0, "ap75": 25.0, "iterations": 300},
        "sdr": {"ap": 31.254, "ap50": 59.5, "ap75": 25.0, "iterations": 300},
    },
    {"subnet": 3, "iterations": 500, "exhaustive_iterations": 2560},
)


def test_scores_and_gain():
    assert scores(DIGITS) == {
        "linear": {"baseline": 80.0, "w0": 81.0, "sdr": 83.5, "gain": 3.5},
        "knn": {"baseline": 70.0, "w0": 69.0, "sdr": 72.25, "gain": 2.25},
    }


def test_mean_is_over_tasks():
    assert mean([scores(DIGITS), scores(KINDS)]) == {
        "linear": {"baseline": 65.0, "w0": 66.5, "sdr": 66.375, "gain": 1.375},
        "knn": {"baseline": 55.0625, "w0": 55.0, "sdr": 58.125, "gain": 3.0625},
    }


def test_summary_is_the_mean_rounded_once():
    found = summary([DIGITS, KINDS], [])
    assert found == {"base": 65.0, "sdr": 66.38, "gain": 1.38}
    assert summary([DIGITS], [DEMO])["ap"] == 31.25
    assert task_scores([DIGITS, KINDS]) == {"digits": 83.5, "kinds": 49.25}


def test_the_gain_is_that_of_the_unrounded_scores():
    close = task("close", (50.004, 50.0, 50.006), (50.0, 50.0, 50.0))
    assert summary([close], []) == {"base": 50.0, "sdr": 50.01, "gain": 0.0}


def test_no_task_gives_an_empty_summary():
    assert summary([], []) == task_scores([]) == {}
    assert "nothing was evaluated" in markdown([], [])
    assert detection_summary([]) == {}


def test_other_backbones_stand_beside_ours_with_their_mean():
    table = markdown(COMPARED, []).split("\n\n")[2].splitlines()
    assert table[0] == "| task | random linear | moco linear | random kNN | moco kNN |"
    assert table[2] == "| digits | 40.00 | 90.00 | 30.00 | 60.00 |"
    assert table[4] == "| **mean** | 30.00 | 70.00 | 20.00 | 55.25 |"


def test_the_terminal_has_a_row_a_backbone(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")  # never cut: a table of eleven tasks is wider than most terminals
    print_others({task.name: other_scores(task.others) for task in COMPARED})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["moco", "90.00", "50.00", "70.00"] in rows
    assert ["random", "30.00", "10.00", "20.00"] in rows


def test_detection(capsys):
    assert detection_summary([DEMO]) == {
        "demo": {
            "ap": {"baseline": 30.0, "sdr": 31.25, "gain": 1.25},
            "ap50": {"baseline": 60.0, "sdr": 59.5, "gain": -0.5},
            "ap75": {"baseline": 25.0, "sdr": 25.0, "gain": 0.0},
            "iterations": {"routing": 500, "exhaustive": 2560},
        }
    }
    assert "| demo | sdr | 31.25 | 59.50 | 25.00 | 300 |" in markdown([DIGITS], [DEMO])
    print_detection([DEMO])
    assert ["demo", "sdr", "31.25", "59.50", "25.00", "300"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(1.2, "+1.20"), (-0.35, "−0.35"), (0.0, "0.00"), (-0.001, "0.00"), (12.345, "+12.35")]
)
def test_signed(value, text):
    assert signed(value) == text


def test_separated_needs_a_gap():
    assert separated(DIGITS)  # 79–81 and 82.5–84.5
    assert not separated(KINDS)  # 49–51 and 48.25–50.25
    assert separated(task("worse", (50.0, 50.0, 40.0), (0.0, 0.0, 0.0)))


def test_markdown_is_one_table_with_equal_columns():
    table = markdown([DIGITS, KINDS], []).split("\n\n")[0].splitlines()
    assert len(table) == 5
    assert {line.count("|") for line in table} == {14}
    assert table[2] == (
        "| digits | mean per class | 80.00 (79.0–81.0) | 81.00 (80.0–82.0) | 83.50 (82.5–84.5) | +3.50 "
        "| 70.00 | 69.00 | 72.25 | +2.25 | – | 30.12 | 10.00 |"
    )
    assert table[4].startswith("| **mean** |  | 65.00 | 66.50 | 66.38 | +1.38 |")


def test_raw_pixels_are_not_measured_with_several_labels_an_image():
    several = task("voc", (80.0, 80.0, 80.0), (70.0, 70.0, 70.0))
    several.meta["raw_knn"] = None
    assert markdown([several], []).splitlines()[2].endswith("| – | 10.00 |")


def test_the_terminal_table_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_table([DIGITS, KINDS])
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "digits" in line).split()
    assert row == ["digits", "80.00", "81.00", "83.50", "+3.50", "70.00", "69.00", "72.25", "+2.25"]
    assert next(line for line in lines if "mean" in line).split()[4] == "+1.38"
    assert max(map(len, lines)) <= 80


def without_w0(found, **pixels):
    networks = {name: scores for name, scores in found.networks.items() if name != "w0"}
    return replace(found, networks=networks, others={"pixels": pixels} if pixels else {})


def test_a_run_without_w0_shows_raw_pixels_in_its_place(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = without_w0(DIGITS, linear=41.5, knn=30.0)
    print_table([found])
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if "digits" in line).split()
    assert row[:5] == ["digits", "80.00", "83.50", "+3.50", "41.50"] and "W_0" not in shown
    assert "W_0 |" not in markdown([found], []) and "| 41.50 |" in markdown([found], [])


@pytest.mark.parametrize(
    ("pixels", "below"),
    [
        ({}, []),
        ({"linear": 83.0, "knn": 72.0}, []),
        ({"linear": 84.0, "knn": 72.0}, ["linear"]),
        ({"linear": 84.0, "knn": 73.0}, ["linear", "kNN"]),
    ],
)
def test_features_below_raw_pixels_are_named(pixels, below):
    found = without_w0(replace(DIGITS, meta=DIGITS.meta | {"raw_knn": 50.0}), **pixels)
    assert below_raw(found) == below
    assert ("below raw pixels in" in markdown([found], [])) == bool(below)
