"""The gain at equal compute, against scipy's paired interval."""

import json
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from sdr.base.errors import UserError
from sdr.experiments.gain import CHOICE, CORPORA, gain_of, write_gain
from tests.experiments.toys import line, lines, toy_set, write_lines, write_set

BASE, OURS = (60.1, 59.0, 61.2, 60.4, 58.8), (61.0, 60.9, 61.1, 62.0, 59.9)
SET = toy_set("base", CHOICE, seeds=range(5))


def measured(ours=OURS, **macs):
    return [*lines(base=BASE), *(line(CHOICE, seed, score, knn=score - 5, **macs) for seed, score in enumerate(ours))]


def test_mean_and_interval_are_scipys(tmp_path):
    for corpus, name in CORPORA.items():
        write_set(tmp_path / "sets", name, SET)
        write_lines(tmp_path, name, measured([x + len(corpus) for x in OURS]))
    said = write_gain(tmp_path / "sets", tmp_path)
    found = json.loads((tmp_path / "gain.json").read_text())
    assert set(found) == {"builtin", "mixed"} and "gain on builtin: linear +8.08" in said and "5 seeds" in said
    for corpus, gain in found.items():
        for protocol, of_task in (("linear", 0.0), ("knn", 1.0)):
            ours = np.array(OURS) + len(corpus)
            low, high = stats.ttest_rel(ours + of_task, BASE).confidence_interval(0.95)
            assert gain[protocol]["mean"] == pytest.approx(fmean(ours + of_task) - fmean(BASE), abs=6e-4)
            assert (gain[protocol]["low"], gain[protocol]["high"]) == pytest.approx((low, high), abs=6e-4)
        assert gain["seeds"] == [0, 1, 2, 3, 4] and gain["commit"] == "d867b3e0aa12" and gain["device"] == "cpu"
        assert gain["command"] == f"make experiments SET={CORPORA[corpus]} && make tables"


def test_only_seeds_that_both_have_count():
    found = gain_of("gain", SET, measured(OURS[:2]))
    low, high = stats.ttest_rel(OURS[:2], BASE[:2]).confidence_interval(0.95)
    assert found["seeds"] == [0, 1] and (found["linear"]["low"], found["linear"]["high"]) == pytest.approx(
        (low, high), abs=6e-4
    )


def test_with_less_than_two_seeds_nothing_is_written(tmp_path):
    write_set(tmp_path / "sets", "gain", SET)
    write_lines(tmp_path, "gain", measured(OURS[:1]))
    assert "two seeds of gain or gain_mixed are needed" in write_gain(tmp_path / "sets", tmp_path)
    assert not (tmp_path / "gain.json").exists()


def test_a_choice_that_cost_more_than_the_baseline_is_no_gain():
    assert gain_of("gain", SET, measured(in_all=10.09)) is not None
    with pytest.raises(
        UserError, match="took 10.200 .* multiply-adds in all, `base` 10.000: train the reference longer"
    ):
        gain_of("gain", SET, measured(in_all=10.2))


@pytest.mark.parametrize("of_set", [toy_set("base", "other"), toy_set("base", CHOICE, reference=CHOICE)])
def test_a_set_without_the_two_rows_is_named(of_set):
    with pytest.raises(UserError, match="experiments/gain.yaml: needs a row `routed choice` beside its reference"):
        gain_of("gain", of_set, [])
