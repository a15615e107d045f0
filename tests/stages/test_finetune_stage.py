"""The stage that fine-tunes a detector: the three kinds of backbone, resume, and what a user gets wrong."""

import json

import numpy as np
import pytest
import torch
import yaml

from sdr.base.checkpoint import Checkpoints
from sdr.detect import sets as detection
from sdr.detect.finetune import FineTuning
from sdr.detect.score import PRECISIONS
from sdr.detect.sets import DetectionSet
from sdr.detect.voc_ap import DivergedError
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.calibrate import calibrate
from sdr.nets.folder import save_resnet
from sdr.report.run import DetectionRun
from sdr.report.tables import detection_summary, markdown
from stages import finetune, finetune_routed
from tests.detect.toys import Rectangles, detector
from tests.stages.program import run

SPEC = Backbone(
    block="basic",
    layers=[1, 1, 1, 1],
    shared=[8, 8, 8, 8],
    group=[1, 2, 3, 4],
    groups=1,
    stem_type="deep",
    stem_width=5,
)
DETECTOR = detector(iterations=4, steps=[3], log_every=2, warmup=1)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with a baseline, a routed sub-net (the same weights), a network to compare with, and a detection set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDR_DEVICE", "cpu")
    monkeypatch.delenv("SDR_SCRATCH", raising=False)
    torch.manual_seed(0)
    network = resnet(SPEC, SPEC.supernet_widths)
    calibrate(network, torch.randn(8, 3, 64, 64))
    for name in ("backbones/baseline", "route_detection/toys/backbone", "backbones/mine", "detection/toys"):
        (tmp_path / "artifacts" / name).mkdir(parents=True)
    for name in ("backbones/baseline", "route_detection/toys/backbone", "backbones/mine"):
        save_resnet(tmp_path / "artifacts" / name, network, SPEC, SPEC.supernet_widths, 64)
    route = tmp_path / "artifacts/route_detection/toys"
    (route / "route.json").write_text('{"subnet": 3}')
    (route / "candidates.csv").write_text("rank,subnet\n1,3\n2,0\n")
    toys = Rectangles(8)
    parts = {"2007_train": toys.all[:3], "2012_val": toys.all[3:5], "2007_test": toys.all[5:]}
    images = ((id, detection.encode(image)) for id, image in toys.images.items())
    detection.write(tmp_path / "artifacts/detection/toys", toys.classes, parts, images)
    params = {
        "seed": 0,
        "detection": {"toys": {"source": "scenes", "detector": "small"}},
        "detection_networks": ["baseline", "mine", "nobody"],
        "detectors": {"small": DETECTOR.model_dump()},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def result(workplace, which: str) -> dict:
    return json.loads((workplace / f"artifacts/eval/detection/{which}/toys.json").read_text())


def test_baseline_subnet_and_any_network(workplace, capsys, monkeypatch):
    for which in ("baseline", "mine"):
        run(finetune, monkeypatch, "toys", which)
        assert f"finetune toys: {which} AP " in capsys.readouterr().out
    run(finetune_routed, monkeypatch, "toys")
    assert "finetune_routed toys: AP " in capsys.readouterr().out
    one, two, three = (result(workplace, which) for which in ("baseline", "sdr", "mine"))
    candidates = [{"rank": "1", "subnet": "3"}, {"rank": "2", "subnet": "0"}]
    assert two.pop("routing") == {"subnet": 3, "candidates": candidates}
    assert one["network"] == "baseline" and one | {"network": "sdr"} == two and one | {"network": "mine"} == three
    assert one["set"] == "toys" and one["iterations"] == 4 and one["images"] == {"trainval": 5, "test": 3}
    assert [row["iteration"] for row in one["history"]] == [0, 2, 3]
    assert list(one["per_class"]) == Rectangles.classes
    present = {label for a in DetectionSet.open("artifacts/detection/toys").annotations("test") for label in a.labels}
    for label, name in enumerate(Rectangles.classes, 1):
        assert (one["per_class"][name] is not None) == (label in present)
    for key in ("ap", "ap50", "ap75", "ap_present", "ap50_present", "ap75_present"):
        assert 0 <= one[key] <= 100 and np.isfinite(one[key])
    assert not list((workplace / ".scratch").rglob("*.*"))


def test_the_test_images_are_seen_once_and_after_the_training(workplace, monkeypatch):
    seen: list[str] = []
    image = DetectionSet.image
    monkeypatch.setattr(DetectionSet, "image", lambda self, id: seen.append(id) or image(self, id))
    run(finetune, monkeypatch, "toys", "baseline")
    assert len(seen) == 4 * 4 + 3
    assert sorted(seen[-3:]) == ["toy/005", "toy/006", "toy/007"]
    assert set(seen[:-3]) == {f"toy/{i:03d}" for i in range(5)}


def test_an_interrupted_stage_goes_on(workplace, monkeypatch, capsys):
    run(finetune_routed, monkeypatch, "toys")
    whole = result(workplace, "sdr")
    monkeypatch.setattr(Checkpoints, "due", lambda self: True)  # save after each iteration
    image, calls = DetectionSet.image, []

    def failing(self, id):
        calls.append(id)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return image(self, id)

    with monkeypatch.context() as patch:
        patch.setattr(DetectionSet, "image", failing)
        with pytest.raises(SystemExit, match="interrupted"):
            run(finetune_routed, monkeypatch, "toys")
    assert list((workplace / ".scratch/training").glob("finetune-toys-sdr-*/step-*.ckpt"))
    run(finetune_routed, monkeypatch, "toys")
    assert "sdr: going on from iteration 2 of 4" in capsys.readouterr().out
    assert result(workplace, "sdr") == whole
    assert not list((workplace / ".scratch").rglob("*.*"))


@pytest.mark.parametrize(
    ("stage", "arguments", "message"),
    [
        (finetune, ["toys"], "SET is one of `detection`: toys; NETWORK is one of `detection_networks`: baseline, mine"),
        (finetune_routed, [], "SET is one of `detection`: toys"),
        (finetune, ["birds", "mine"], "`birds` is not in `detection`"),
        (finetune, ["toys", "nobody"], "artifacts/backbones/nobody/config.json: not found"),
    ],
)
def test_one_message_and_nothing_written(workplace, monkeypatch, stage, arguments, message):
    before = sorted(workplace.rglob("*"))
    with pytest.raises(SystemExit, match=message):
        run(stage, monkeypatch, *arguments)
    assert sorted(workplace.rglob("*")) == before


def diverging(workplace, lr: float) -> None:
    params = yaml.safe_load((workplace / "params.yaml").read_text())
    params["detectors"]["small"] |= {"lr": lr, "warmup": 0}
    (workplace / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_training_that_diverges_at_every_rate_is_a_missing_score_with_its_reason(workplace, capsys, monkeypatch):
    diverging(workplace, 1000.0)
    run(finetune_routed, monkeypatch, "toys")
    found = result(workplace, "sdr")
    assert {found[key] for key in PRECISIONS} == {None} and found["history"] == []
    assert found["failed"].startswith("diverged 3 times, at last at a learning rate of 250: sdr: the detection loss")
    said = capsys.readouterr()
    assert said.err.count("warning: sdr: the detection loss") == 3 and "finetune_routed toys: has no score" in said.out
    assert found["routing"]["subnet"] == 3  # what was found before is all there
    found_run = DetectionRun("toys", {"sdr": found, "baseline": found | {"ap": 1.0, "ap50": 2.0, "ap75": 0.0}}, {})
    found_run.routing.update(iterations=1, exhaustive_iterations=2)
    assert detection_summary([found_run])["toys"]["ap"] == {"sdr": None, "baseline": 1.0, "gain": None}
    text = markdown([], [found_run])
    assert "| toys | sdr | – | – | – | 4 |" in text and "toys, sdr: no score, the detector diverged" in text


def test_a_training_that_diverges_is_retried_at_a_lower_rate(workplace, monkeypatch):
    """As if the rate itself were too high by a factor of two: the second try is the very training of the lower rate."""
    step = FineTuning._step

    def picky(self, t, examples, rate):
        if self.params.lr > 0.006 and t == 2:
            raise DivergedError("too fast")
        return step(self, t, examples, rate)

    monkeypatch.setattr(FineTuning, "_step", picky)
    run(finetune_routed, monkeypatch, "toys")
    found = result(workplace, "sdr")
    assert found["lr"] == DETECTOR.lr / 2
    diverging(workplace, DETECTOR.lr / 2)
    params = yaml.safe_load((workplace / "params.yaml").read_text())
    params["detectors"]["small"]["warmup"] = DETECTOR.warmup
    (workplace / "params.yaml").write_text(yaml.safe_dump(params))
    run(finetune_routed, monkeypatch, "toys")
    assert result(workplace, "sdr") == found


def test_an_interrupted_retry_goes_on_at_its_own_rate(workplace, monkeypatch):
    step, stop = FineTuning._step, []

    def picky(self, t, examples, rate):
        if self.params.lr > 0.006 and t == 2:
            raise DivergedError("too fast")
        if stop and self.params.lr < 0.006 and t == 2:
            raise KeyboardInterrupt
        return step(self, t, examples, rate)

    monkeypatch.setattr(FineTuning, "_step", picky)
    run(finetune_routed, monkeypatch, "toys")
    whole = result(workplace, "sdr")
    monkeypatch.setattr(Checkpoints, "due", lambda self: True)
    stop.append(True)
    with pytest.raises(SystemExit, match="interrupted"):
        run(finetune_routed, monkeypatch, "toys")
    stop.clear()
    started = []
    make = FineTuning.__init__
    monkeypatch.setattr(FineTuning, "__init__", lambda self, *a, **k: started.append(a[3].lr) or make(self, *a, **k))
    run(finetune_routed, monkeypatch, "toys")
    assert started == [DETECTOR.lr / 2] and result(workplace, "sdr") == whole
