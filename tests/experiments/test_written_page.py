"""The page of the experiments as `make tables` writes it."""

import pytest

from sdr.base.errors import UserError
from sdr.experiments.page import write_page
from tests.experiments.toys import lines, toy_set, write_lines, write_set


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_outputs_appear(tmp_path):
    write_set(tmp_path / "experiments", "rows", toy_set("base", "ours"))
    write_set(tmp_path / "experiments", "later", toy_set("base", "ours"))
    write_lines(tmp_path / "metrics/experiments", "rows", lines(base=(56.0, 56.5, 55.7), ours=(57.0, 58.5, 57.2)))
    assert "1 of 2 sets have results, report-experiments/index.html" in write_page()
    out = tmp_path / "report-experiments"
    assert sorted(path.name for path in out.iterdir()) == ["figures", "index.html", "tables.md"]
    assert [path.name for path in (out / "figures").iterdir()] == ["rows.png"]
    assert "+1.50" in (out / "index.html").read_text() and "+1.50" in (out / "tables.md").read_text()


def test_without_results(tmp_path):
    write_set(tmp_path / "experiments", "rows", toy_set("base", "ours"))
    (tmp_path / "metrics/experiments").mkdir(parents=True)
    (tmp_path / "metrics/experiments/README.md").write_text("What the tables are.")
    write_page()
    assert "make experiments SET=rows" in (tmp_path / "report-experiments/index.html").read_text()


def test_a_broken_table_is_named_and_leaves_the_last_page(tmp_path):
    write_set(tmp_path / "experiments", "rows", toy_set("base", "ours"))
    (tmp_path / "metrics/experiments").mkdir(parents=True)
    (tmp_path / "metrics/experiments/rows.csv").write_text("row,seed\n")
    (tmp_path / "report-experiments").mkdir()
    (tmp_path / "report-experiments/index.html").write_text("the last one")
    with pytest.raises(UserError, match="rows.csv: lacks the columns of, linear.*run its experiments again"):
        write_page()
    assert (tmp_path / "report-experiments/index.html").read_text() == "the last one"
