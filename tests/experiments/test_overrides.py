"""What DVC is told of an experiment's parameters, against what DVC makes of it."""

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from sdr.base.errors import UserError
from sdr.base.profiles import merged, profile_names
from sdr.experiments.overrides import overrides
from sdr.experiments.sets import Experiment, experiments, read_set, set_names

ROOT = Path(__file__).parents[2]
SETS = [read_set(name, ROOT / "experiments") for name in set_names(ROOT / "experiments")]
COMMITTED = {e.name: e for found in SETS for e in experiments(found.model_copy(update={"seeds": found.seeds[-1:]}))}


@pytest.fixture
def applied(tmp_path, monkeypatch):
    """Change params.yaml as DVC does with the options of an experiment; return it before and after."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)

    def apply(experiment: Experiment) -> tuple[dict, dict]:
        file = tmp_path / "params.yaml"
        text = file.read_text()
        options = overrides(experiment, text)
        assert set(options[::2]) == {"--set-param"}
        apply_overrides(str(file), options[1::2])
        base = merged(text, experiment.profile) if experiment.profile else text
        return YAML(typ="safe").load(base), YAML(typ="safe").load(file.read_text())

    return apply


def put(params: dict, name: str, value: object) -> None:
    *path, last = name.split(".")
    for key in path:
        params = params[key]
    params[last] = value


@pytest.mark.parametrize("experiment", COMMITTED.values(), ids=COMMITTED)
def test_dvc_understands_every_committed_row(applied, experiment):
    before, after = applied(experiment)
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
    before, after = applied(Experiment({"data.source": value, "pruned.new": value}, ()))
    put(before, "data.source", value)
    put(before, "pruned.new", value)
    assert after == before and type(after["data"]["source"]) is type(value)


def test_a_whole_section_is_replaced_key_by_key(applied):
    """As Hydra merges: what a row does not name stays."""
    before, after = applied(Experiment({"embed": {"side": 32}}, ()))
    assert after["embed"] == before["embed"] | {"side": 32}


@pytest.mark.parametrize("profile", profile_names(ROOT / "profiles"))
def test_a_profile_takes_the_place_of_params_yaml(applied, profile):
    before, after = applied(Experiment({"seed": 3}, ("sdr",), profile))
    put(before, "seed", 3)
    assert after == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sdr.epoch", "no parameter `sdr.epoch` in params.yaml: is `sdr.epochs` meant?"),
        ("n_subnet", "no parameter `n_subnet` in params.yaml: is `n_subnets` meant?"),
        ("views.zzz", "no parameter `views.zzz` in params.yaml"),
        ("seed.of", "`seed.of`: `seed` is a value in params.yaml"),
    ],
)
def test_a_misspelt_parameter_is_one_message(applied, name, says):
    with pytest.raises(UserError) as error:
        applied(Experiment({name: 1}, ()))
    assert str(error.value) == says


def test_no_such_profile(applied):
    with pytest.raises(UserError, match="no profile `gpus`: there are "):
        applied(Experiment({}, (), "gpus"))
