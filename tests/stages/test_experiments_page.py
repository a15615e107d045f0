"""The stage `experiments_page`, run as DVC runs it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.experiments.toys import lines, toy_set, write_lines, write_set

ROOT = Path(__file__).parents[2]


def run(folder):
    return subprocess.run(
        [sys.executable, "-m", "stages.experiments_page"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_outputs_appear(tmp_path):
    write_set(tmp_path / "experiments", "rows", toy_set("base", "ours"))
    write_set(tmp_path / "experiments", "later", toy_set("base", "ours"))
    write_lines(tmp_path / "metrics/experiments", "rows", lines(base=(56.0, 56.5, 55.7), ours=(57.0, 58.5, 57.2)))
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 2 sets have results, report-experiments/index.html" in done.stdout
    out = tmp_path / "report-experiments"
    assert sorted(path.name for path in out.iterdir()) == ["figures", "index.html", "tables.md"]
    assert [path.name for path in (out / "figures").iterdir()] == ["rows.png"]
    assert "+1.50" in (out / "index.html").read_text() and "+1.50" in (out / "tables.md").read_text()


def test_without_results(tmp_path):
    write_set(tmp_path / "experiments", "rows", toy_set("base", "ours"))
    (tmp_path / "metrics/experiments").mkdir(parents=True)
    (tmp_path / "metrics/experiments/README.md").write_text("What the tables are.")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "make experiments SET=rows" in (tmp_path / "report-experiments/index.html").read_text()


def test_a_broken_table_ends_in_one_line_and_leaves_the_last_page(tmp_path):
    write_set(tmp_path / "experiments", "rows", toy_set("base", "ours"))
    (tmp_path / "metrics/experiments").mkdir(parents=True)
    (tmp_path / "metrics/experiments/rows.csv").write_text("row,seed\n")
    (tmp_path / "report-experiments").mkdir()
    (tmp_path / "report-experiments/index.html").write_text("the last one")
    done = run(tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "rows.csv: lacks the columns of, linear" in done.stderr and "run its experiments again" in done.stderr
    assert (tmp_path / "report-experiments/index.html").read_text() == "the last one"
