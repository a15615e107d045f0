"""Names of entries: which there may be, and which of them a stage is told to work on."""

import sys

import pytest

from sdr.base.errors import UserError
from sdr.base.names import LONGEST, ambiguous, check_name, entries, entry, split_key

NASTY = [
    "$(touch X)",
    "a;touch X",
    "`touch X`",
    "../digits",
    "-digits",
    "digits\n",
    "\x1b[2J",
    "a b",
    "a" * (LONGEST + 1),
    "",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_name_is_a_name(text, monkeypatch, tmp_path):
    with pytest.raises(UserError) as told:
        check_name("tasks", text)
    assert str(told.value).isprintable()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("tasks: {digits: {}}\n")
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setenv("DVC_STAGE", f"route@{text}")
    with pytest.raises(UserError):
        entry("tasks")


def test_a_stage_reads_its_names_from_dvc(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("tasks: {a: {}, a-b: {}}\nnetworks: [b-c, d]\n")
    monkeypatch.setattr(sys, "argv", ["stage"])
    for stage, names in {
        "evaluate@a-b-d": ("a-b", "d"),
        "evaluate@a-d": ("a", "d"),
        "evaluate@a-b-c": ("a", "b-c"),
    }.items():
        monkeypatch.setenv("DVC_STAGE", stage)
        assert entries("tasks", "networks") == names
    monkeypatch.setenv("DVC_STAGE", "route@a-b")
    assert entry("tasks") == "a-b"
    monkeypatch.setattr(sys, "argv", ["stage", "a"])  # by hand
    assert entry("tasks") == "a"


def test_a_key_of_two_readings_names_both():
    known = {"tasks": ["a", "a-b"], "networks": ["b-c", "c"]}
    says = "`a-b-c` can be read as `a` with `b-c` and `a-b` with `c`"
    with pytest.raises(UserError, match=says):
        split_key("a-b-c", known)
    assert says in ambiguous("tasks", "networks", known)[0]
    assert ambiguous("tasks", "networks", {"tasks": ["a", "b"], "networks": ["c"]}) == []
