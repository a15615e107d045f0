"""Sets of experiments: reading them, the names and targets that follow, and what the committed ones say."""

import copy
import re
import subprocess
from functools import cache, reduce
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from sdr.base.errors import UserError
from sdr.base.params import load
from sdr.base.profiles import merged
from sdr.experiments.overrides import check
from sdr.experiments.sets import (
    OWN,
    Experiment,
    ExperimentSet,
    Row,
    experiment_of,
    experiments,
    read_set,
    set_names,
    targets,
)
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.train.cost import cost_of
from sdr.train.settings import Sdr
from tools.rules import unknown, wrong

ROOT = Path(__file__).parents[2]
COMMITTED = {name: read_set(name, ROOT / "experiments") for name in set_names(ROOT / "experiments")}
PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
ROWS = [pytest.param(found, row, id=f"{name}-{row.name}") for name, found in COMMITTED.items() for row in found.rows]
ROWS_OF_CORPUS = 11_234  # images of the built-in corpus
GOOD = {
    "title": "Two",
    "question": "Which?",
    "seeds": [0, 1],
    "reference": "first",
    "rows": [{"name": "first", "of": "baseline"}, {"name": "second", "of": "sdr", "set": {"n_subnets": 4}}],
}


def written(folder: Path, content: object) -> Path:
    (folder / "mine.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return folder


def test_a_set_is_read_with_its_defaults(tmp_path):
    found = read_set("mine", written(tmp_path, GOOD))
    assert [row.name for row in found.rows] == ["first", "second"]
    assert found.rows[0].set == {} and found.rows[0].paper == {} and found.rows[1].set == {"n_subnets": 4}
    assert set_names(tmp_path) == ["mine"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (GOOD | {"seed": 3}, "seed: "),
        (GOOD | {"rows": [{"name": "first", "of": "sdr", "sets": {}}]}, "rows.0.sets: "),
        (GOOD | {"rows": [{"name": "first"}]}, "rows.0.of: "),
        (GOOD | {"rows": [{"name": "first", "of": "two words"}]}, "rows.0.of: "),
        (GOOD | {"rows": []}, "rows: "),
        (GOOD | {"seeds": []}, "seeds: "),
        (GOOD | {"seeds": ["0"]}, "seeds.0: "),
        (GOOD | {"reference": "third"}, "no row is called 'third'"),
        (GOOD | {"rows": GOOD["rows"][:1] * 2}, "two rows have the same name"),
        ({key: value for key, value in GOOD.items() if key != "title"}, "title: "),
        ("rows: [", "not valid"),
        ("- a list", "not valid"),
        ("", "not valid"),
    ],
)
def test_a_wrong_set_is_one_message_that_names_its_file(tmp_path, content, says):
    with pytest.raises(UserError) as error:
        read_set("mine", written(tmp_path, content))
    assert str(error.value).startswith(f"{tmp_path / 'mine.yaml'}: ") and says in str(error.value)


def test_no_such_set_names_those_that_there_are(tmp_path):
    with pytest.raises(UserError, match="no set of experiments `your`; there are mine"):
        read_set("your", written(tmp_path, GOOD))


def test_rows_that_change_the_same_share_an_experiment_that_reaches_the_scores_of_all():
    rows = [("a", "baseline", {}), ("b", "sdr", {}), ("c", "w0", {}), ("d", "sdr", {"n_subnets": 4})]
    rows = [Row(name=name, of=of, set=changes) for name, of, changes in rows]
    found = ExperimentSet(title="", question="", seeds=[0, 1], reference="a", rows=rows)
    every = experiments(found)
    assert [e.changes for e in every] == [{"seed": 0}, {"seed": 1}] + [{"n_subnets": 4, "seed": s} for s in (0, 1)]
    assert len({experiment_of(found, row, 0).name for row in rows[:3]}) == 1
    assert every[0].networks == ("baseline", "sdr", "w0") and every[2].networks == ("sdr",)


def test_what_a_set_changes_every_row_changes_unless_it_says_otherwise():
    rows = [Row(name="a", of="sdr"), Row(name="b", of="sdr", set={"n_subnets": 4})]
    found = ExperimentSet(
        title="", question="", seeds=[0], reference="a", profile="gpu", set={"n_subnets": 8}, rows=rows
    )
    assert [e.changes["n_subnets"] for e in experiments(found)] == [8, 4]
    plain = found.model_copy(update={"profile": ""})
    assert not {e.name for e in experiments(found)} & {e.name for e in experiments(plain)}


@pytest.mark.parametrize(
    ("networks", "stages"),
    [
        (["baseline"], ["evaluate@a-baseline"]),
        (["w0"], ["evaluate@a-baseline", "evaluate@a-w0"]),
        (["ensemble", "votes", "sdr"], ["evaluate@a-baseline", "evaluate_routed"]),
        (["adapted"], ["evaluate@a-baseline", "evaluate_adapted"]),
        (["thin", "baseline"], ["evaluate@a-baseline", "evaluate@a-thin"]),
    ],
)
def test_targets(networks, stages):
    assert targets(Experiment({}, tuple(sorted(networks))), ["a"]) == stages


def test_names_are_stable_distinct_and_names_of_git_refs():
    every = {e.name: e for found in COMMITTED.values() for e in experiments(found)}
    assert len({(repr(sorted(e.changes.items(), key=str)), e.networks, e.profile) for e in every.values()}) == len(
        every
    )
    for name in every:
        subprocess.run(["git", "check-ref-format", f"refs/exps/ab/cdef/{name}"], check=True)
        assert len(name) < 100 and "@" not in name and not name.startswith("-")
    found = ExperimentSet(**GOOD)
    assert experiment_of(found, found.rows[1], 1).name.startswith("n_subnets-4_seed-1_")


@pytest.mark.parametrize("value", ["a b", "../x", "é", "-v", "x~1", "a.lock", "@{", "y" * 200])
def test_a_name_is_valid_whatever_a_parameter_is(value):
    row = Row(name="x", of="sdr", set={"data.source": value})
    found = ExperimentSet(title="", question="", seeds=[0], reference="x", rows=[row])
    subprocess.run(["git", "check-ref-format", f"refs/exps/ab/cdef/{experiment_of(found, row, 0).name}"], check=True)


@pytest.mark.parametrize("found", COMMITTED.values(), ids=COMMITTED)
def test_a_committed_set_has_three_seeds_and_says_what_it_asks(found):
    assert len(found.seeds) == len(set(found.seeds)) >= 3
    assert found.question.strip().count("?") >= 1 or found.question.startswith("What")
    assert all(set(row.paper) <= {"linear", "knn", "hours"} for row in found.rows)


@pytest.mark.parametrize(("found", "row"), ROWS)
def test_a_committed_row_changes_what_there_is_into_what_is_allowed(found, row, tmp_path, monkeypatch):
    """That DVC makes the same of params.yaml, test_overrides.py says of every row."""
    params = copy.deepcopy(of_profile(found.profile))
    for name, value in row.set.items():
        assert value_of(params, name) != value, f"{name} has this value in params.yaml"
    for name, value in experiment_of(found, row, found.seeds[0]).changes.items():
        check(params, name)
        section, _, last = name.rpartition(".")
        (value_of(params, section) if section else params)[last] = value
    (tmp_path / "params.yaml").write_text(yaml.dump(params, Dumper=yaml.CSafeDumper))
    monkeypatch.chdir(tmp_path)
    assert [*unknown(), *wrong()] == []
    assert row.of in OWN or row.of in load(pruned=dict)["pruned"]


@cache
def of_profile(name: str) -> dict:
    """The parameters of a profile, "" for params.yaml alone."""
    text = (ROOT / "params.yaml").read_text()
    return YAML(typ="safe").load(merged(text, name, folder=ROOT / "profiles") if name else text)


def value_of(params, name):
    for key in name.split("."):
        params = params.get(key) if isinstance(params, dict) else None
    return params


def test_committed_rows_of_equal_cost_cost_the_same():
    """In multiply-adds of SDR's own training, without its baseline's, as exactly as the digits of the epochs allow."""
    text = merged((ROOT / "params.yaml").read_text(), COMMITTED["table3"].profile, folder=ROOT / "profiles")
    params = YAML(typ="safe").load(text)
    spec, heads, sdr = Backbone(**params["backbone"]), Heads(**params["heads"]), Sdr(**params["sdr"])
    cost = cost_of("simsiam", spec, heads, sdr, params["views"]["side"])
    mean = cost.w0_share * cost.w0 + (1 - cost.w0_share) * cost.subnet
    rows = [row for row in COMMITTED["table3"].rows if "as many multiply-adds" in row.name]
    assert len(rows) == 2
    for row in rows:
        image = cost.w0 if row.set.get("pretrain.width") == "supernet" else cost.baseline
        assert row.set["pretrain.epochs"] * image == pytest.approx(sdr.epochs * mean, rel=0.005)


@pytest.mark.parametrize("name", ["rivals", "subnets", "curves"])
def test_committed_rows_cost_what_the_default_profile_costs(name):
    """Baseline and SDR together; of curves what their name says. But for the single steps of a part that takes no part."""
    whole = PARAMS["pretrain"]["epochs"] + PARAMS["sdr"]["epochs"]
    for row in COMMITTED[name].rows:
        params = copy.deepcopy(PARAMS)
        for key, value in row.set.items():
            *path, last = key.split(".")
            reduce(dict.__getitem__, path, params)[last] = value
        spec, heads, sdr = Backbone(**params["backbone"]), Heads(**params["heads"]), Sdr(**params["sdr"])
        cost = cost_of(params["method"], spec, heads, sdr, params["views"]["side"])
        mean = cost.w0_share * cost.w0 + (1 - cost.w0_share) * cost.subnet
        image = cost.w0 if params["pretrain"]["width"] == "supernet" else cost.baseline
        total = params["pretrain"]["epochs"] * image + (params["sdr"]["epochs"] * mean if row.of != "baseline" else 0)
        if row.of == "adapted":
            batches = ROWS_OF_CORPUS / params["pretrain"]["optimization"]["batch_size"]
            (steps,) = {spec["steps"] for spec in params["adapt"].values()}
            assert params["adapt"].keys() == params["tasks"].keys()
            total = (params["pretrain"]["epochs"] + steps / batches) * image
        named = re.search(r"([\d.]+) epochs", row.name)
        asked = (float(named[1]) if named else whole) * cost.baseline
        assert total == pytest.approx(asked, rel=0.002), row.name


def test_sets_of_the_papers_comparisons_start_from_the_papers_method():
    ours = {"gain", "gain_mixed", "controls", "rivals", "levers", "subnets", "curves"}
    assert {name for name, one in COMMITTED.items() if one.profile != "paper"} == ours
