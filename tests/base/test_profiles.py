"""Profiles: what merging does on small files, and what must hold of those that the project ships."""

from io import StringIO
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from sdr.base.errors import UserError
from sdr.base.profiles import NAMED, complete, merged, profile_names
from tools.rules import unknown, wrong

ROOT = Path(__file__).parents[2]
PARAMS = """\
# All of them.

n: 16    # so many
seed: 0  # where it starts

views:   # both of them
  side: 32  # pixels
  blur: null

tasks:   # of labels
  digits: {source: builtin}

detectors:
  tiny: {lr: 0.1}
"""
INHERITED = {
    "seed",
    "processes",
    "compute",
    "knn",
    "linear",
    "adapt",
    "probe",
    "score_check",
    "networks",
    "detection_networks",
    "detectors",
    *NAMED,
}
INHERITED |= {
    "backbone.avg_down",
    "pretrain.init",
    "pretrain.init_warmup",
    "data.max_bad_fraction",
    "calibrate.images",
    "embed.batch_size",
    "pretrain.log_every",
    "sdr.log_every",
}
"""What a profile may leave to params.yaml: how a step is computed, how networks are looked at and evaluated, and on what."""


@pytest.fixture
def merge(tmp_path):
    """Merge profiles, given as text by name, into `PARAMS`; the last one is what is asked for."""

    def run(**profiles: str) -> str:
        for name, text in profiles.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return merged(PARAMS, list(profiles)[-1], folder=tmp_path)

    return run


def test_what_a_profile_does_not_name_stays_with_every_comment(merge):
    assert merge(nothing="seed: 0\n") == PARAMS


def test_values_and_their_comments_are_the_profiles(merge):
    found = merge(big="n: 64  # more\nviews:  # of BYOL\n  blur: 0.5  # as published\n")
    expected = PARAMS.replace("n: 16    # so many", "n: 64    # more").replace("# both of them", "# of BYOL")
    assert found.replace(" ", "") == expected.replace("blur: null", "blur: 0.5 # as published").replace(" ", "")


def test_a_mapping_of_names_is_taken_whole_and_detectors_are_added(merge):
    found = yaml.safe_load(merge(voc="tasks: {pets: {source: pets}}\ndetectors: {fpn: {lr: 0.02}}\n"))
    assert found["tasks"] == {"pets": {"source": "pets"}}
    assert found["detectors"] == {"tiny": {"lr": 0.1}, "fpn": {"lr": 0.02}}


def test_included_profiles_come_first(merge):
    found = yaml.safe_load(merge(a="n: 1\nseed: 1\n", b="n: 2\n", c="include: [a, b]\nviews: {side: 3}\n"))
    assert (found["n"], found["seed"], found["views"]["side"], "include" in found) == (2, 1, 3, False)


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("sede: 1", "mine.yaml: unknown parameter `sede`: is `seed` meant?"),
        ("views: {sid: 1}", "mine.yaml: unknown parameter `views.sid`: is `views.side` meant?"),
        ("zzz: 1", "mine.yaml: unknown parameter `zzz`"),
        ("views: 3", "mine.yaml: `views` is a section in params.yaml"),
        ("n: {a: 1}", "mine.yaml: `n` is a value in params.yaml"),
        ("n: [", "mine.yaml: not valid YAML"),
        ("- n", "mine.yaml: not a mapping of parameters"),
        ("", "mine.yaml: not a mapping of parameters"),
        ("include: [yours]", "no profile `yours`: there are mine"),
        ("include: [mine]", "mine.yaml: includes itself"),
    ],
)
def test_a_wrong_profile_is_one_message(merge, profile, says):
    with pytest.raises(UserError) as error:
        merge(mine=profile)
    assert says in str(error.value)


@pytest.mark.parametrize("name", profile_names(ROOT / "profiles"))
def test_a_shipped_profile_gives_valid_parameters_and_keeps_the_comments(name, tmp_path, monkeypatch):
    text = complete(ROOT / f"profiles/{name}.yaml")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert [*unknown(), *wrong()] == []
    for said in ("Every knob of the pipeline", "share of unreadable files", "neighbours that vote"):
        assert said in text


@pytest.mark.parametrize("name", sorted(set(profile_names(ROOT / "profiles")) - {"fpn", "mixed"}))
def test_no_default_changes_a_shipped_profile(name):
    """Whatever its networks and its choice of them depend on is named in it, or in one that it includes."""
    text = StringIO()
    YAML().dump(spoilt(YAML(typ="safe").load((ROOT / "params.yaml").read_text())), text)
    found = YAML(typ="safe").load(merged(text.getvalue(), name, folder=ROOT / "profiles"))
    assert [key for key in inherited(found) if not any(f"{key}.".startswith(f"{own}.") for own in INHERITED)] == []


def spoilt(value: object) -> object:
    return {key: spoilt(inner) for key, inner in value.items()} if isinstance(value, dict) else "SPOILT"


def inherited(value: object, name: str = "") -> list[str]:
    """Names of the parameters that are still as params.yaml has them."""
    if isinstance(value, dict):
        return [key for k, inner in value.items() for key in inherited(inner, f"{name}.{k}".lstrip("."))]
    return [name] if value == "SPOILT" else []
