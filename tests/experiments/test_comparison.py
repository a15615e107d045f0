"""Rows of a set and what was measured of them, against numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sdr.base.errors import UserError
from sdr.experiments.comparison import compare, read_all
from sdr.experiments.measured import read_lines
from tests.experiments.toys import line, lines, toy_set, write_lines, write_set

OURS, BASE = (57.0, 58.5, 57.2), (56.0, 56.5, 55.7)


def row(found, name):
    return next(row for row in found.rows if row.row.name == name)


def test_means_differences_and_tests():
    found = compare("set", toy_set("base", "ours"), lines(base=BASE, ours=OURS))
    ours = row(found, "ours")
    assert ours.scores["linear"].mean == pytest.approx(57.566667, abs=1e-6)
    assert ours.scores["linear"].std == pytest.approx(0.814453, abs=1e-6)
    against = ours.against["linear"]
    assert against.difference.sample.mean == pytest.approx(1.5)  # 1, 2, 1.5
    assert against.difference.sample.std == pytest.approx(0.5)
    assert against.difference.p == against.p_holm == pytest.approx(stats.ttest_rel(OURS, BASE).pvalue)
    assert against.better == (2, 2)
    assert ours.tasks["knn"]["digits"].values == {0: 52.0, 1: 53.5, 2: pytest.approx(52.2)}
    assert (found.task_names, found.commits, found.measured) == (["icons", "digits"], ["d867b3e0aa12"], True)
    assert found.reference.is_reference and found.reference.against == {}


def test_holm_is_over_the_rows_of_a_protocol():
    three = lines(base=BASE, a=OURS, b=(56.1, 56.9, 55.5), c=(50.0, 50.1, 50.4))
    found = compare("set", toy_set("base", "a", "b", "c", "missing"), three)
    raw = {name: row(found, name).against["linear"].difference.p for name in "abc"}
    first, second, third = sorted(raw, key=raw.get)
    corrected = {name: row(found, name).against["linear"].p_holm for name in "abc"}
    assert corrected[first] == pytest.approx(3 * raw[first])
    assert corrected[second] == pytest.approx(2 * raw[second])
    assert corrected[third] == pytest.approx(raw[third])
    assert row(found, "missing").against["linear"].p_holm is None  # and does not count


def test_tasks_are_counted_by_their_means_over_the_paired_seeds():
    measured = [line("base", 0, 50, tasks=(50.0, 50.0)), line("base", 1, 50, tasks=(50.0, 50.0))]
    measured += [line("ours", 0, 50, tasks=(49.0, 50.0)), line("ours", 1, 50, tasks=(51.5, 50.0))]
    measured += [line("ours", 2, 50, tasks=(0.0, 99.0))]  # the reference has no such seed
    found = row(compare("set", toy_set("base", "ours"), measured), "ours")
    assert found.against["linear"].better == (1, 2)  # a tie is not better
    assert found.against["linear"].tasks["icons"].sample.values == {0: -1.0, 1: 1.5}


def test_what_is_missing_is_there_and_empty():
    of_set = toy_set("base", "half", "none")
    found = compare("set", of_set, [*lines(base=BASE), line("half", 1, 57.0), line("renamed", 0, 40.0)])
    assert [one.row.name for one in found.rows] == ["base", "half", "none"]
    half, none = row(found, "half"), row(found, "none")
    assert (half.seeds, half.missing, half.scores["linear"].std) == ([1], [0, 2], None)
    assert half.against["knn"].difference.sample.values == {1: 0.5}
    assert (none.seeds, none.missing, none.scores["linear"].mean) == ([], [0, 1, 2], None)
    assert none.against["linear"].better is None and set(none.cost.values()) == {None}
    assert found.unknown == ["renamed"]
    assert not compare("set", of_set, []).measured


def test_without_the_reference_nothing_is_compared():
    found = row(compare("set", toy_set("base", "ours"), lines(ours=OURS)), "ours")
    assert found.scores["linear"].n == 3
    assert found.against["linear"].difference.why == "no seed in common"
    assert found.times["teramacs"] is None


def test_compute_spread_and_the_papers_numbers():
    of_set = toy_set(
        "base",
        "ours",
        base={"paper": {"linear": 72.9, "hours": 260}},
        ours={"paper": {"linear": 75.28, "knn": 58}},
    )
    measured = [line("base", s, 50, macs=20.0, in_all=20.0) for s in (0, 1)]
    measured += [line("ours", s, 51, macs=30.0 + s, in_all=50.0 + s, spread=2.0 + s) for s in (0, 1)]
    found = compare("set", of_set, measured)
    ours = row(found, "ours")
    assert (ours.cost["teramacs"], ours.cost["teramacs_in_all"], ours.cost["seconds"]) == (30.5, 50.5, 60.0)
    assert (ours.times["teramacs"], ours.times["teramacs_in_all"]) == (1.525, 2.525)
    assert (ours.spread.mean, found.reference.spread.n) == (2.5, 0)
    assert ours.paper_difference == {"linear": pytest.approx(2.38)}  # of kNN the paper has no reference
    assert found.reference.paper_difference == {}


@given(st.lists(st.tuples(*[st.integers(2000, 8000)] * 2), min_size=2, max_size=4))
def test_another_reference_flips_the_sign(pairs):
    measured = lines(base=[a / 100 for a, _ in pairs], ours=[b / 100 for _, b in pairs])
    there = row(compare("set", toy_set("base", "ours"), measured), "ours").against["linear"]
    back = row(compare("set", toy_set("base", "ours", reference="ours"), measured), "base").against["linear"]
    assert back.difference.sample.mean == -there.difference.sample.mean
    assert back.p_holm == pytest.approx(there.p_holm)


def test_files_are_read_as_they_are_collected(tmp_path):
    measured = [*lines(base=BASE), line("16", 0, 51.0, spread=2.5), line("None", 0, 52.0)]
    write_set(tmp_path / "sets", "other", toy_set("base"))
    write_set(tmp_path / "sets", "of_paper", toy_set("base", base={"paper_row": "SimSiam"}))
    write_set(tmp_path / "sets", "table9", toy_set("base", "16", "None"))
    write_lines(tmp_path / "csv", "table9", measured)
    assert read_lines(tmp_path / "csv/table9.csv") == measured
    found = read_all(tmp_path / "sets", tmp_path / "csv")
    assert [(one.name, one.measured) for one in found] == [
        ("table9", True),
        ("of_paper", False),
        ("other", False),
    ]
    assert [one.seeds for one in found[0].rows] == [[0, 1, 2], [0], [0]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("seconds", "minutes"), "lacks the columns seconds"),
        (lambda text: text.replace("56.5", "much"), "line 3: could not convert string to float: 'much'"),
        (lambda text: text.replace("56.5", "nan"), "line 3: linear is nan"),
        (lambda text: text + text.splitlines()[1] + "\n", "'base' has seed 0 twice"),
        (lambda text: text + "base,sdr\n", "line 5"),
        (lambda text: "", "lacks the columns row"),
    ],
)
def test_a_broken_table_is_named_with_its_cure(tmp_path, change, said):
    write_lines(tmp_path, "set", lines(base=BASE))
    file = tmp_path / "set.csv"
    file.write_text(change(file.read_text()))
    with pytest.raises(UserError) as raised:
        read_lines(file)
    assert str(file) in str(raised.value) and said in str(raised.value) and "git checkout" in str(raised.value)
