"""The benchmarks of training run from end to end on a tiny profile and write what they promise; no time is judged."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import cost_of_subnets, lightly_simsiam, probe, training
from benchmarks.fixture import fabricate
from benchmarks.turns import by_turns, ratio
from tests.train import toys

PROFILE = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def profile(tmp_path):
    """The repository's parameters with the networks and views of the tests."""
    values = YAML(typ="safe").load(PROFILE.read_text())
    values |= {"backbone": toys.SPEC.model_dump(), "heads": toys.HEADS.model_dump(), "views": toys.VIEWS.model_dump()}
    values["data"] |= {"side": 16, "store": "decoded"}
    for section in ("pretrain", "sdr"):
        values[section]["optimization"]["batch_size"] = 8
    file = tmp_path / "toy.yaml"
    with file.open("w") as stream:
        YAML().dump(values, stream)
    return file


def run(program, monkeypatch, tmp_path, *arguments) -> dict:
    out = tmp_path / "out.json"
    monkeypatch.setattr("sys.argv", [program.__file__, *map(str, arguments), "--out", str(out)])
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))  # so that the program's own choice is undone afterwards
    program.main()
    return json.loads(out.read_text())


def test_training(monkeypatch, tmp_path, profile):
    options = [
        "--rounds",
        2,
        "--warm",
        1,
        "--steps",
        2,
        "--fabricated",
        40,
        "--squares",
        16,
        "--size",
        16,
        24,
        "--levers",
    ]
    monkeypatch.setattr("benchmarks.compute_levers.variants", _few)
    found = run(training, monkeypatch, tmp_path, "--profile", profile, *options)
    assert [(r["view"], r["stored"], r["batch"], r["images"]) for r in found["runs"]] == [
        (16, 16, 8, 40),
        (24, 24, 8, 40),
    ]
    for one in found["runs"]:
        peer = {"lightly"} if lightly_simsiam.installed() else set()
        assert set(one["images_per_s"]) == {"bare step", "whole loop"} | peer
        assert all(0 < s["least"] <= s["median"] <= s["most"] for s in one["images_per_s"].values())
        assert one["whole_loop_to_bare_step"]["median"] > 0
        assert 0 <= one["wait_share"] < 1
        assert ("whole_loop_to_lightly" in one) == bool(peer)
        assert one["arithmetic"]["share"] > 0
        assert one["levers"]["default"]["to_default"] == dict.fromkeys(one["levers"]["default"]["to_default"], 1.0)
        assert "cannot be cut" in one["levers"]["broken"]["error"]
    assert {"cpu", "versions", "date", "command", "load_average"} <= set(found)
    first, second = (one["arithmetic"]["gflop_per_step"] for one in found["runs"])
    assert 1 < second / first < (24 / 16) ** 2 * 1.5  # work grows with the area, less the heads'


def test_the_probes_share_is_a_look_over_the_steps_between_two(monkeypatch, tmp_path, profile):
    fabricate(tmp_path / "artifacts/data", 16, "decoded", 40)
    monkeypatch.chdir(tmp_path)
    found = run(probe, monkeypatch, tmp_path, "--profile", profile, "--tasks", "--every", 2, "--steps", 4)
    one = found["by_tasks"]["0"]
    assert one["steps_a_look"] == pytest.approx(one["look_ms"] / one["step_ms"]) and found["every"] == 200
    assert one["share"] == pytest.approx(one["steps_a_look"] / (one["steps_a_look"] + 200))


def _few(settings, device):
    return {"default": (settings, True, False), "broken": (settings.model_copy(update={"accumulate": 3}), True, False)}


def test_without_lightly_it_says_how_to_install_it(monkeypatch, tmp_path, profile, capsys):
    monkeypatch.setattr(lightly_simsiam, "installed", lambda: False)
    options = ["--rounds", 1, "--warm", 1, "--steps", 1, "--fabricated", 16, "--squares", 16]
    found = run(training, monkeypatch, tmp_path, "--profile", profile, *options)
    assert "pip install" in found["runs"][0]["lightly"]
    assert "pip install" in capsys.readouterr().err


def test_encoded_images_are_decoded_by_the_loop(monkeypatch, tmp_path, profile):
    values = YAML(typ="safe").load(profile.read_text())
    values["data"]["store"] = "encoded"
    with profile.open("w") as stream:
        YAML().dump(values, stream)
    monkeypatch.setattr(lightly_simsiam, "installed", lambda: False)
    options = ["--rounds", 1, "--warm", 1, "--steps", 1, "--fabricated", 16, "--squares", 16]
    found = run(training, monkeypatch, tmp_path, "--profile", profile, *options)
    assert found["runs"][0]["store"] == "encoded"


def test_cost_of_subnets(monkeypatch, tmp_path, profile, capsys):
    options = ["--rounds", 2, "--warm", 0, "--steps", 1, "--images", 400, "--subnets", 1, 4, 16]
    found = run(cost_of_subnets, monkeypatch, tmp_path, "--profile", profile, *options)
    assert {"baseline", "W_0", "exchange", "sub-net of 4", "sub-net of 16"} < set(found["seconds_per_step"])
    assert [line["subnets"] for line in found["table"]] == [1, 4, 16]
    assert [line["cost"] for line in found["table"]][0] == 1
    assert [round(line["paper"], 3) for line in found["table"]] == [1, 1.423, 1.538]
    assert set(found["growth"]) == {"sub-net of 4", "sub-net of 16"}
    taught = {
        (line["w0_share"], line["distill_views"], line["teacher_bf16"], line["train_teacher"])
        for line in found["levers"]
    }
    assert taught >= {(share, views, bf16, False) for share in (0.2, 0.4) for views in (1, 2) for bf16 in (False, True)}
    assert {line["epochs"] for line in found["levers"] if line["train_teacher"]} == {5.5}  # half of 11
    assert "paper" in capsys.readouterr().out


def test_the_cost_of_a_run_weighs_the_kinds_of_steps():
    """40 steps of W_0 at 3 and 60 of a sub-net at 2 cost 240; 100 of the baseline's at 1 cost 100."""
    seconds = {"baseline": [1.0, 1.0], "W_0": [3.0, 3.0], "sub": [2.0, 2.0]}
    assert cost_of_subnets.run_cost(seconds, "sub", 40, 100, 100)["median"] == pytest.approx(2.4)


def test_turns_are_paired():
    calls = []
    found = by_turns(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2, warm=1, steps=2, device=toys.CPU
    )
    assert "".join(calls) == "aaabbb" + "bbbaaa"
    assert len(found["a"]) == len(found["b"]) == 2
    assert ratio([2.0, 30.0, 9.0], [1.0, 10.0, 3.0])["median"] == 3
