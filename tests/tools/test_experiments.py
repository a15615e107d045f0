"""What tools.experiments tells DVC and reads of what it says, and the lines that tools.tables makes; tests/dvc runs both."""

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from sdr.base.errors import UserError
from sdr.experiments.sets import Experiment, Row, experiments, read_set, set_names
from tools.experiments import overrides, read_status
from tools.tables import line

ROOT = Path(__file__).parents[2]
COMMITTED = {
    e.name: e for name in set_names(ROOT / "experiments") for e in experiments(read_set(name, ROOT / "experiments"))
}
STATUS = """Task     Name                        Created       Status
d8148f5  seed-0_129342d9             11:19 PM      Running
1f0f1dc  seed-1_eec5f338             Nov 22, 2026  Failed
a268016  distill-l2_seed-0_1d2712ce  11:19 PM      Queued
82e9e0f  Queued                      11:19 PM      Success
82e9e00                              11:19 PM      Queued

Worker status: 2 active, 1 idle
"""


@pytest.fixture
def applied(tmp_path, monkeypatch):
    """Change params.yaml as DVC does with the options of an experiment; return it before and after."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)

    def apply(changes: dict) -> tuple[dict, dict]:
        file = tmp_path / "params.yaml"
        before = YAML(typ="safe").load(file.read_text())
        options = overrides(Experiment(changes, ()))
        assert options[::2] == ["--set-param"] * len(changes)
        apply_overrides(str(file), options[1::2])
        return before, YAML(typ="safe").load(file.read_text())

    return apply


def put(params: dict, name: str, value: object) -> None:
    *path, last = name.split(".")
    for key in path:
        params = params[key]
    params[last] = value


@pytest.mark.parametrize("experiment", COMMITTED.values(), ids=COMMITTED)
def test_dvc_understands_every_committed_experiment(applied, experiment):
    before, after = applied(experiment.changes)
    for name, value in experiment.changes.items():
        put(before, name, value)
    assert after == before


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        0.25,
        1e-5,
        1e16,
        True,
        False,
        None,
        "byol",
        "",
        "true",
        "null",
        "1",
        "1e-3",
        "a b",
        "a, b",
        "a=b",
        "[x]",
        "{x}",
        "it's",
        'say "x"',
        "back\\slash",
        "end\\",
        'both\\"',
        "$x",
        "splits/imagenet.csv",
        "torchvision:CIFAR10",
        [1, 2.5],
        ["a", "b, c"],
        [],
        {"how": "structured"},
        {"a": {"b": [True, None]}},
        {},
    ],
    ids=repr,
)
def test_dvc_understands_a_value(applied, value):
    before, after = applied({"data.source": value, "pruned.new": value})
    put(before, "data.source", value)
    put(before, "pruned.new", value)
    assert after == before and type(after["data"]["source"]) is type(value)


def test_a_whole_section_is_replaced_key_by_key(applied):
    """As Hydra merges: what a row does not name stays."""
    before, after = applied({"embed": {"side": 32}})
    assert after["embed"] == before["embed"] | {"side": 32}


def test_states_and_workers_are_read_from_dvc():
    states = {
        "seed-0_129342d9": "Running",
        "seed-1_eec5f338": "Failed",
        "distill-l2_seed-0_1d2712ce": "Queued",
        "Queued": "Success",
    }
    found, workers = read_status(STATUS)
    assert {name: found[name] for name in states} == states and workers == 3


def test_an_empty_queue():
    assert read_status("No experiment tasks in the queue.\n\nWorker status: 0 active, 0 idle\n") == ({}, 0)


def scores(first: float) -> dict:
    return {p: {"pets": first, "cars": first + 2, "mean": first + 1} for p in ("linear", "knn")}


def metrics() -> dict:
    training = {"images": 100, "teramacs": 1.5, "seconds": 20.0}
    return {
        "baseline": {"baseline": scores(50), "training": training},
        "sdr": {
            "w0": scores(60),
            "sdr": scores(70),
            "training": {"images": 200, "teramacs": 4.25, "seconds": 60.0},
            "spread": {"pets": 1.0, "cars": 2.0, "mean": 1.5},
        },
        "thin": {"thin": scores(40)},
    }


@pytest.mark.parametrize(
    ("of", "mean", "spread", "images", "teramacs", "in_all"),
    [
        ("baseline", 51, "", 100, 1.5, 1.5),
        ("w0", 61, "", 200, 4.25, 5.75),
        ("sdr", 71, 1.5, 200, 4.25, 5.75),
        ("thin", 41, "", 100, 1.5, 1.5),  # pruned: its training is the baseline's
    ],
)
def test_a_line_has_the_scores_of_its_network_and_what_its_training_took(of, mean, spread, images, teramacs, in_all):
    found = line(Row(name="mine", of=of), 3, "seed-3_abc", "0123456789abcdef", metrics())
    assert found["linear"] == found["knn"] == mean
    assert (found["linear.pets"], found["linear.cars"], found["knn.cars"]) == (mean - 1, mean + 1, mean + 1)
    assert (found["spread"], found["images"], found["teramacs"], found["teramacs_in_all"]) == (
        spread,
        images,
        teramacs,
        in_all,
    )
    assert (found["row"], found["of"], found["seed"], found["experiment"], found["commit"]) == (
        "mine",
        of,
        3,
        "seed-3_abc",
        "0123456789ab",
    )
    assert list(found) == list(line(Row(name="other", of="baseline"), 0, "x", "y", metrics()))  # one header for all


@pytest.mark.parametrize("of", ["ensemble", "other"])
def test_a_network_without_scores_is_named(of):
    with pytest.raises(UserError, match=f"experiment seed-3_abc has no scores of '{of}'.*dvc exp remove seed-3_abc"):
        line(Row(name="mine", of=of), 3, "seed-3_abc", "0", metrics())
