"""Numbers that are not finite are refused wherever they stand in params.yaml, and by their dotted name."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.base.params import load
from tools.rules import SECTIONS

ROOT = Path(__file__).parents[2]


def numbers(value, path=()):
    """The places of all numbers in nested mappings and lists."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(inner, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def parameters(profile: str) -> dict:
    from ruamel.yaml import YAML

    file = ROOT / ("params.yaml" if profile == "default" else f"profiles/{profile}.yaml")
    return YAML(typ="safe").load(file.read_text())


PLACES = [(profile, place) for profile in ("default",) for place in numbers(parameters(profile))]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_number_that_is_not_finite_is_refused_by_its_name(tmp_path_factory, place, value):
    profile, path = place
    params = parameters(profile)
    inner = params
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    folder = tmp_path_factory.mktemp("params")
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with pytest.raises(UserError) as error:
            load(**{path[0]: SECTIONS[path[0]]})
    parts = [part for part in str(error.value).split("`")[1].split(".") if part not in ("voc", "coco", "scenes")]
    assert [str(key) for key in path] == [part for part in parts if part in map(str, path)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_bare_number_too(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"data": {"share": value}}))
    with pytest.raises(UserError, match="`data.share`: input should be a finite number"):
        load(data__share=float)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", [0.0, 1.0]),
        ("scale", [0.2, 1.1]),
        ("scale", [0.9, 0.2]),
        ("jitter", [0.4, 0.4, 0.4, 0.6]),
        ("jitter", [-0.1, 0.4, 0.4, 0.1]),
        ("jitter", [1.5, 0.4, 0.4, 0.1]),
        ("blur_sigma", [0.0, 1.0]),
        ("blur_sigma", [2.0, 1.0]),
        ("blur_sigma", [1.0, 1e9]),
    ],
)
def test_ranges_of_views(tmp_path, monkeypatch, name, value):
    params = parameters("default")
    params["views"][name] = value
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(UserError, match="`views.*" + name.removesuffix("_sigma")):
        load(views=SECTIONS["views"])
