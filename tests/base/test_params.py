from typing import Literal

import pytest
from pydantic import Field, ValidationError

from sdr.base.errors import UserError
from sdr.base.params import Section, load


class Inner(Section):
    rate: float = Field(gt=0)


class Outer(Section):
    side: int = Field(ge=8, le=64)
    kind: Literal["a", "b"]
    inner: Inner


GOOD = """
seed: 3
outer: {side: 8, kind: a, inner: {rate: 0.5}}
tasks:
  digits: {rate: 1.0}
"""


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "params.yaml").write_text(text)

    write(GOOD)
    return write


def test_sections_numbers_and_entries_of_mappings(params):
    found = load(seed=int, outer=Outer, tasks__digits=Inner, outer__inner__rate=float)
    assert found == {
        "seed": 3,
        "outer": Outer(side=8, kind="a", inner=Inner(rate=0.5)),
        "tasks__digits": Inner(rate=1.0),
        "outer__inner__rate": 0.5,
    }


def test_a_section_cannot_be_changed(params):
    with pytest.raises(ValidationError, match="frozen"):
        load(outer=Outer)["outer"].side = 9


@pytest.mark.parametrize(
    ("outer", "says"),
    [
        ("{side: 8, kind: a, inner: {rate: 0.5}, syde: 9}", "`outer.syde`: unknown parameter"),
        ("{side: 8, kind: a, inner: {rate: 0.5, x: 1}}", "`outer.inner.x`: unknown parameter"),
        ("{side: 8, kind: a}", "`outer.inner`: missing"),
        ("{side: 8, kind: a, inner: {}}", "`outer.inner.rate`: missing"),
        (
            "{side: 7, kind: a, inner: {rate: 0.5}}",
            "`outer.side`: input should be greater than or equal to 8, got 7",
        ),
        (
            "{side: '8', kind: a, inner: {rate: 0.5}}",
            "`outer.side`: input should be a valid integer, got '8'",
        ),
        (
            "{side: 8.0, kind: a, inner: {rate: 0.5}}",
            "`outer.side`: input should be a valid integer, got 8.0",
        ),
        (
            "{side: true, kind: a, inner: {rate: 0.5}}",
            "`outer.side`: input should be a valid integer, got True",
        ),
        ("{side: 8, kind: c, inner: {rate: 0.5}}", "`outer.kind`: input should be 'a' or 'b', got 'c'"),
        ("{side: 8, kind: a, inner: {rate: .nan}}", "`outer.inner.rate`"),
        ("[1, 2]", "`outer`"),
        ("", "`outer`"),
    ],
)
def test_bad_values_are_told_with_name_reason_and_value(params, outer, says):
    params(f"outer: {outer}")
    with pytest.raises(UserError) as caught:
        load(outer=Outer)
    assert str(caught.value).startswith("params.yaml: ") and says in str(caught.value)


def test_all_errors_of_a_section_are_told_at_once(params):
    params("outer: {side: 7, kind: c, inner: {rate: -1.0}}")
    with pytest.raises(UserError) as caught:
        load(outer=Outer)
    assert all(name in str(caught.value) for name in ("`outer.side`", "`outer.kind`", "`outer.inner.rate`"))


@pytest.mark.parametrize("wanted", [{"absent": int}, {"tasks__pets": Inner}, {"seed__deeper": int}])
def test_missing_parameters_are_named(params, wanted):
    with pytest.raises(UserError, match=f"`{next(iter(wanted)).replace('__', '.')}` is missing"):
        load(**wanted)


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_a_file_without_parameters(params, text):
    params(text)
    with pytest.raises(UserError, match="`seed` is missing"):
        load(seed=int)


def test_yaml_errors_tell_the_line(params):
    params("seed: 1\nouter: {side: 8\nx: 1\n")
    with pytest.raises(UserError, match=r"not valid YAML(.|\n)*line 3"):
        load(seed=int)


def test_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="root of the repository"):
        load(seed=int)


@pytest.mark.parametrize(
    ("text", "wanted", "name"),
    [
        ("data: {side: 8, size: 8}", {"data": dict}, "data.size"),
        ("tasks: {size: {rate: 1.0}}", {"tasks": dict[str, Inner]}, "tasks.size"),
        ("tasks: {size: {rate: 1.0}}", {"tasks__size": Inner}, "tasks.size"),
        ("tasks: {a: [{nfiles: 1}]}", {"tasks": dict}, "tasks.a.0.nfiles"),
        ("size: 3", {"size": int}, "size"),
    ],
)
def test_names_that_the_run_cache_does_not_see_are_refused(params, text, wanted, name):
    params(text)
    with pytest.raises(UserError, match=f"`{name}`: no parameter may be called size or nfiles"):
        load(**wanted)


@pytest.mark.parametrize("value", ["'3'", "3.0", "true"])
def test_plain_types_are_strict_too(params, value):
    params(f"seed: {value}")
    with pytest.raises(UserError, match="`seed`"):
        load(seed=int)


def test_numbers_are_read_as_dvc_reads_them(params):
    params("outer: {side: 8, kind: a, inner: {rate: 5e-4}}")
    assert load(outer=Outer)["outer"].inner.rate == 5e-4


PIPELINE = """
stages:
  train: {cmd: x, params: [seed, outer.inner, absent.here]}
  task: {foreach: "${tasks}", do: {cmd: x, params: ["tasks.${key}"]}}
"""


@pytest.fixture
def running(params, tmp_path, monkeypatch):
    """`running(stage)` makes this process a stage that DVC runs."""
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    return lambda stage: monkeypatch.setenv("DVC_STAGE", stage)


def test_a_stage_reads_what_it_declares(running):
    running("train")
    assert load(seed=int, outer__inner=Inner) == {"seed": 3, "outer__inner": Inner(rate=0.5)}
    running("task@digits")
    assert load(tasks__digits=Inner) == {"tasks__digits": Inner(rate=1.0)}


@pytest.mark.parametrize("wanted", [{"outer": Outer}, {"tasks": dict[str, Inner]}, {"outer__size": int}])
def test_a_stage_cannot_read_what_it_does_not_declare(running, wanted):
    running("train")
    with pytest.raises(
        UserError, match=r"dvc.yaml: stage train reads the parameter `(outer|tasks).*does not declare it"
    ):
        load(**wanted)
