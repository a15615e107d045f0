"""How far verdicts held, against counts by hand and the Wilson interval's own formula."""

import json
from math import sqrt

import pytest

from sdr.base.errors import UserError
from sdr.experiments.gain import CHOICE, CORPORA
from sdr.experiments.measured import read_lines
from sdr.experiments.verdict import BASELINE, held_of, write_verdicts
from tests.experiments.toys import line, toy_set, write_lines, write_set

SET = toy_set("rival", BASELINE, CHOICE, reference="rival", seeds=range(3))
SAID = [("take", "none"), ("take", "take"), ("supernet", "take")]  # of icons and digits, a pair a seed
OURS = [(70.0, 50.0), (60.0, 60.0), (40.0, 55.0)]


def measured():
    ours = [line(CHOICE, s, 1, knn=1, tasks=OURS[s], verdicts=SAID[s]) for s in range(3)]
    # Far above all: the rival is not what the verdict is about.
    return [*ours, *(line(BASELINE, s, 60, knn=60, tasks=(60, 60)) for s in range(3)), line("rival", 0, 99)]


def test_cases_are_counted_by_task_and_seed():
    found = held_of("gain", SET, measured())
    assert found["seeds"] == [0, 1, 2] and found["cases"] == {"take": 4, "none": 1, "supernet": 1}
    for protocol in ("linear", "knn"):  # +10, 0, 0 hold, −5 does not
        assert (found[protocol]["held"], found[protocol]["of"], found[protocol]["share"]) == (3, 4, 0.75)
        assert found[protocol]["difference"] == {"take": 1.25, "none": -10, "supernet": -20}


def test_the_interval_is_wilsons():
    found = held_of("gain", SET, measured())["linear"]
    p, n, z = 0.75, 4, 1.959964
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + side * half) / (1 + z * z / n) for side in (-1, 1))
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=6e-4)


def test_verdicts_survive_their_table_and_both_corpora_are_written(tmp_path):
    for name in CORPORA.values():
        write_set(tmp_path / "sets", name, SET)
        write_lines(tmp_path, name, measured())
    said = write_verdicts(tmp_path / "sets", tmp_path)
    found = json.loads((tmp_path / "verdict.json").read_text())
    assert set(found) == set(CORPORA) and found["builtin"]["commit"] == "d867b3e0aa12"
    assert "verdict on builtin: take it in 4 of 6 cases, linear not below in 3 of 4" in said
    assert read_lines(tmp_path / "gain.csv")[0].verdicts == {"icons": "take", "digits": "none"}


def test_without_a_take_there_is_no_share():
    never = [line(CHOICE, 0, 1, verdicts=("none", "none")), line(BASELINE, 0, 2)]
    assert held_of("gain", SET, never)["linear"] == {
        "held": 0,
        "of": 0,
        "share": None,
        "low": None,
        "high": None,
        "difference": {"take": None, "none": -1, "supernet": None},
    }


def test_rows_of_before_verdicts_write_nothing(tmp_path):
    write_set(tmp_path / "sets", "gain", SET)
    write_lines(tmp_path, "gain", [line(CHOICE, 0, 1), line(BASELINE, 0, 2)])
    assert "a seed of gain or gain_mixed is needed" in write_verdicts(tmp_path / "sets", tmp_path)
    assert not (tmp_path / "verdict.json").exists()


def test_a_set_without_the_two_rows_and_a_word_that_is_no_verdict_are_named(tmp_path):
    with pytest.raises(UserError, match=f"experiments/gain.yaml: needs a row `{BASELINE}`"):
        held_of("gain", toy_set("rival", CHOICE, reference="rival"), [])
    write_lines(tmp_path, "gain", [line(CHOICE, 0, 1, verdicts=("take", "perhaps"))])
    with pytest.raises(UserError, match=r"gain.csv, line 2: no verdict is called 'perhaps'"):
        read_lines(tmp_path / "gain.csv")
