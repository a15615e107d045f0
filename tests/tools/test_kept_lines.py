"""Which lines of a committed table hold without their experiments, in a repository of git with a pipeline of three stages."""

import csv
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from sdr.base.errors import UserError
from sdr.experiments.sets import (
    Experiment,
    ExperimentSet,
    experiment_of,
    experiments,
    read_set,
    set_names,
)
from tools.kept_lines import holds_since, kept_lines, upstream, without_line
from tools.same_code import same_code

ROOT = Path(__file__).parents[2]
PIPELINE = """
stages:
  train:
    cmd: python -m stages.train
    params: [seed, sdr]
    deps: ["${split}", sdr/loop.py, stages/train.py]
    outs: [artifacts/sdrnet]
  linear:
    foreach: ${tasks}
    do:
      cmd: python -m stages.linear ${key}
      params: ["tasks.${key}"]
      deps: [artifacts/sdrnet, sdr/linear.py]
      outs: ["artifacts/eval/sdr/${key}.json": {cache: false}]
  scores_sdr:
    cmd: python -m stages.scores
    params: [tasks]
    deps: [artifacts/eval/sdr]
    metrics: [artifacts/scores/sdr.json]
  scores_baseline:
    cmd: python -m stages.scores
    params: [tasks]
    deps: [sdr/linear.py]
    metrics: [artifacts/scores/baseline.json]
  report:
    cmd: python -m stages.report
    params: [compare]
    deps: [artifacts/eval, sdr/page.py]
    outs: [report]
"""
PARAMS = "seed: 0\nsplit: splits/a.csv\nsdr: {epochs: 20, distill: siamkd}\ntasks: {a: {}}\ncompare: {}\n"
WANTED = Experiment({"sdr.distill": "l2", "seed": 3}, ("scores_sdr",))
FILES = ("sdr/loop.py", "sdr/linear.py", "sdr/page.py", "stages/train.py", "splits/a.csv", "splits/b.csv")


def git(*command: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *who, *command], check=True, capture_output=True, text=True).stdout.strip()


def commit() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--message", "x", "--allow-empty")
    return git("rev-parse", "HEAD")


@pytest.fixture
def first(tmp_path, monkeypatch):
    """The commit that experiments were run from."""
    monkeypatch.chdir(tmp_path)
    same_code.cache_clear()
    git("init", "--quiet")
    Path("dvc.yaml").write_text(PIPELINE)
    Path("params.yaml").write_text(PARAMS)
    for name in FILES:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"x = {name!r}")
    yield commit()
    same_code.cache_clear()


def test_it_holds_while_nothing_changes(first):
    commit()
    assert holds_since(first, WANTED) and holds_since(first[:12], WANTED)


@pytest.mark.parametrize("name", ["sdr/loop.py", "sdr/linear.py", "stages/train.py", "splits/a.csv"])
@pytest.mark.parametrize("how", ["committed", "in the working tree", "lost"])
def test_code_on_the_way_to_the_scores_counts(first, name, how):
    Path(name).unlink() if how == "lost" else Path(name).write_text("changed")
    if how == "committed":
        commit()
    assert not holds_since(first, WANTED)


@pytest.mark.parametrize("name", ["sdr/page.py", "splits/b.csv"])
def test_other_files_do_not(first, name):
    Path(name).write_text("changed")
    assert holds_since(first, WANTED)


@pytest.mark.parametrize(
    ("old", "new", "held"),
    [
        ("epochs: 20", "epochs: 10", False),
        ("tasks: {a: {}}", "tasks: {a: {}, b: {}}", False),
        ("splits/a.csv", "splits/b.csv", False),
        ("compare: {}", "compare: {c: {}}", True),
        ("seed: 0", "seed: 7", True),  # the experiment changes it itself
        ("distill: siamkd", "distill: none", True),
    ],
)
def test_parameters_count_where_a_stage_reads_them_and_the_experiment_does_not_set_them(first, old, new, held):
    Path("params.yaml").write_text(PARAMS.replace(old, new))
    if "splits" in old:  # the same content under another name is another file all the same
        Path("splits/b.csv").write_text("other")
    commit()
    assert holds_since(first, WANTED) == held


def test_a_commit_that_is_not_here(first):
    assert not holds_since("0123456789ab", WANTED)


def written(*lines: tuple[str, str, int, str, str]) -> Path:
    file = Path("table.csv")
    with file.open("w", newline="") as text:
        out = csv.DictWriter(text, ["row", "of", "seed", "experiment", "commit"])
        out.writeheader()
        out.writerows(dict(zip(out.fieldnames, line, strict=True)) for line in lines)
    return file


def test_lines_of_the_set_are_kept_and_others_counted(first):
    rows = [{"name": "x", "of": "sdr", "set": {"sdr.distill": "l2"}}, {"name": "y", "of": "w0", "set": {}}]
    found = ExperimentSet(title="", question="", seeds=[3, 4], reference="x", rows=rows)
    name = {(row.name, seed): experiment_of(found, row, seed).name for row in found.rows for seed in found.seeds}
    file = written(
        ("x", "sdr", 3, name["x", 3], first),
        ("x", "sdr", 4, name["x", 3], first),  # of another experiment
        ("y", "sdr", 3, name["y", 3], first),  # another network's scores
        ("y", "w0", 4, name["y", 4], "0123456789ab"),
        ("z", "w0", 4, "z", first),  # a row that is no more
    )
    kept, stale = kept_lines(found, file)
    assert list(kept) == [("x", 3)] and kept["x", 3]["experiment"] == name["x", 3] and stale == 4
    assert without_line(found, file) == {name["x", 4], name["y", 3], name["y", 4]}


def test_without_a_table_nothing_is_kept(first):
    found = ExperimentSet(title="", question="", seeds=[0], reference="x", rows=[{"name": "x", "of": "sdr"}])
    assert kept_lines(found, Path("none.csv")) == ({}, 0)
    assert len(without_line(found, Path("none.csv"))) == 1


@pytest.mark.parametrize(
    ("text", "missing"),
    [("row,of,seed,commit\nx,sdr,0,abc\n", "experiment"), ("", "commit, experiment, of, row, seed")],
)
def test_a_file_that_is_no_table_is_named(first, text, missing):
    found = ExperimentSet(title="", question="", seeds=[0], reference="x", rows=[{"name": "x", "of": "sdr"}])
    Path("table.csv").write_text(text)
    with pytest.raises(UserError, match=f"^table.csv: has no column {missing},"):
        kept_lines(found, Path("table.csv"))


@pytest.fixture(scope="module")
def graph():
    """DVC's own, of stages."""
    with Repo(str(ROOT)) as repo:
        return repo.index.graph


@pytest.mark.parametrize("name", set_names(ROOT / "experiments"))
def test_the_pipelines_own_stages_are_found(graph, name):
    """As DVC's graph has them, by the names of its templates; without those that `pruned` has no instance of."""
    parse = YAML(typ="safe").load
    params, stages = parse((ROOT / "params.yaml").read_text()), parse((ROOT / "dvc.yaml").read_text())["stages"]
    of_cmd = {stage.get("do", stage).get("cmd"): key for key, stage in stages.items()}
    for targets in {experiment.targets for experiment in experiments(read_set(name, ROOT / "experiments"))}:
        targets = [target for target in targets if not target.startswith("scores_pruned")]
        nodes, seen = [stage for stage in graph if stage.name in targets], set()
        while nodes:
            node = nodes.pop()
            seen.add(node.name.partition("@")[0])
            nodes += graph.successors(node)
        assert {of_cmd[stage["cmd"]] for stage in upstream(stages, targets, params)} == seen
