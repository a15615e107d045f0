"""The stage `start`, and what looks at it before and after: parameters that fit, and a folder that changed."""

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import stages.start
from sdr.nets.adopt import spec_of
from tests.nets.ready import ready, save
from tests.stages.program import run
from tools import refresh
from tools.rules import start as check

ROOT = Path(__file__).parents[2]
GOOD = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a network in `there`; a function that writes the parameters."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_STAGE", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    save(ready("resnet26d"), tmp_path / "there")

    def write(init: str = "there", fits: bool = True, **changes) -> dict:
        spec = spec_of(ready("resnet26d"), 4, "it").model_dump() if fits else GOOD["backbone"]
        params = GOOD | {"backbone": spec, "pretrain": GOOD["pretrain"] | {"init": init}} | changes
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        return params

    return write


def start_differs() -> bool:
    return refresh.start_differs()


def test_from_nothing_is_the_default_and_reads_nothing(place, monkeypatch):
    assert GOOD["pretrain"]["init"] == "random"
    place("random", fits=False)
    run(stages.start, monkeypatch)
    assert [p.name for p in Path("artifacts/start").iterdir()] == ["config.json"]
    assert json.loads(Path("artifacts/start/config.json").read_text()) == {"init": "random"} and not start_differs()


def test_the_weights_are_taken_and_a_change_of_the_folder_is_seen(place, monkeypatch, capsys):
    place()
    run(stages.start, monkeypatch)
    assert "there, 1-1-1-1 bottleneck blocks of 20-20-24-32 planes" in capsys.readouterr().out
    found, theirs = load_file("artifacts/start/model.safetensors"), ready("resnet26d").state_dict()
    assert {name.removeprefix("backbone.") for name in found} == {name for name in theirs if not name.startswith("fc.")}
    assert all(torch.equal(value, theirs[name.removeprefix("backbone.")]) for name, value in found.items())
    assert not start_differs()
    save(ready("resnet26d", num_classes=3), Path("there"))
    assert start_differs() and "there is another network" in capsys.readouterr().out
    Path("there").rename("elsewhere")
    assert not start_differs() and "not compared" in capsys.readouterr().out
    place("timm:other")
    assert not start_differs()  # DVC sees the parameter


def test_a_change_of_the_entry_is_seen_and_that_of_another_not(place, monkeypatch):
    monkeypatch.setenv("SDR_CHECKPOINTS", str(Path.cwd()))
    entry = {"source": "checkpoint", "layout": "timm_local", "file": "there"}
    place("mine", compare={"mine": entry})
    run(stages.start, monkeypatch)
    place("mine", compare={"mine": entry, "other": {"source": "random"}})
    assert not start_differs()
    place("mine", compare={"mine": entry | {"normalise": "imagenet"}})
    assert start_differs()


def test_refresh_runs_the_stage_again(place, monkeypatch):
    place()
    run(stages.start, monkeypatch)
    commands = []
    monkeypatch.setattr(refresh, "everything", dict)
    monkeypatch.setattr(
        refresh.subprocess, "run", lambda command: commands.append(command) or type("Done", (), {"returncode": 0})
    )
    monkeypatch.setattr(sys, "argv", ["refresh"])
    refresh.main()
    save(ready("resnet26d", num_classes=3), Path("there"))
    with pytest.raises(SystemExit):
        refresh.main()
    assert [command[3:] for command in commands] == [["repro", "--single-item", "--force", "start"]]


def test_another_shape_is_told_with_the_lines_to_write(place, monkeypatch, capsys):
    params = place(fits=False)
    before = sorted(Path.cwd().rglob("*"))
    with pytest.raises(SystemExit) as left:
        run(stages.start, monkeypatch)
    said = str(left.value.code)
    assert said.startswith("error: params.yaml: backbone: a sub-net has 1-1-1-1 basic blocks of 20-40-80-160 planes")
    assert "\n" not in said and sorted(Path.cwd().rglob("*")) == before
    line = said.split("`")[1]
    assert yaml.safe_load(line)["backbone"] == spec_of(ready("resnet26d"), 4, "it").model_dump()
    assert [f"error: {text}" for text in check(right(params))] == [said]
    assert not list(check(right(place())))


def right(params: dict) -> dict:
    from tools.rules import SECTIONS, load

    return load(**{name: SECTIONS[name] for name in ("pretrain", "compare", "backbone", "seed")})


def test_a_folder_that_is_gone_is_told_before_anything_runs_unless_it_was_taken(place, monkeypatch):
    place()
    run(stages.start, monkeypatch)
    Path("there").rename("elsewhere")
    assert not list(check(right(place())))
    (said,) = check(right(place("never")))
    assert "never is neither timm:NAME" in said
