import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from timm.models.resnet import BasicBlock, ResNet

from sdr.base.errors import UserError
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.folder import save_resnet
from sdr.train.schedule import W0
from tools import dry_run
from tools.dry_facts import IMAGENET, count_facts
from tools.dry_pipeline import Alternating, Walk, assign, read_back
from tools.dry_report import measured
from tools.fabricate_imagenet import fabricate

ROOT = Path(__file__).parents[2]
BIG = sorted((ROOT / "profiles").glob("imagenet-*.yaml"))
SMALL = {"images": 16, "classes": 3, "batch": 4, "steps": 2}


def miniature(**changes) -> dict:
    """The repository's parameters, with tiny networks on ImageNet's layout."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"] |= {"source": "imagenet", "side": 48, "store": "encoded"}
    params["views"] |= {"side": 32}
    params["embed"] |= {"side": 48}
    params["backbone"] |= {"shared": [16] * 4, "group": [8] * 4, "stem_type": "deep", "stem_width": 8}
    params["heads"] |= {"projection": 16, "hidden": 16, "layers": 2, "prediction": 8}
    return params | changes


@pytest.fixture
def dry(tmp_path, monkeypatch, capfd):
    """Run the program on parameters; return what it prints by name, and its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def run(params: dict | Path, **options) -> tuple[dict[str, str], str]:
        profile = params if isinstance(params, Path) else tmp_path / "profile.yaml"
        if isinstance(params, dict):
            profile.write_text(yaml.safe_dump(params))
        options = {"profile": profile, "device": "cpu"} | options
        error, before = "", dict(os.environ)
        try:
            dry_run.main([text for name, value in options.items() for text in (f"--{name}", str(value))])
        except SystemExit as end:
            error = str(end)
        assert os.environ == before
        assert not list((tmp_path / "temporary").iterdir())
        assert {path.name for path in tmp_path.iterdir()} <= {"temporary", "profile.yaml"}
        lines = [line.split(": ", 1) for line in capfd.readouterr().out.splitlines() if ": " in line]
        return {name: text.strip() for name, text in lines}, error

    return run


def numbers(text: str) -> list[float]:
    """All numbers in a text, in order."""
    words = text.replace(",", "").replace("(", " ").replace(";", " ").split()
    return [float(word) for word in words if word.replace(".", "", 1).replace("e+", "").isdigit()]


def test_a_miniature_from_files_to_timm(dry):
    params = miniature()
    said, error = dry(params, **SMALL, **{"target-device-tflops": 1e-6})
    assert error == ""
    for name, section in (("baseline", "pretrain"), ("SDR", "sdr")):
        batch = params[section]["optimization"]["batch_size"]
        steps, of, corpus, peak = numbers(said[name])[:4]
        assert (steps, of, corpus) == (
            round(Fraction(params[section]["epochs"] * IMAGENET, batch)),
            batch,
            IMAGENET,
        )
        assert peak == pytest.approx(params[section]["optimization"]["lr"] * batch / 256)
    for name, planes in (("super-net", (48,) * 4), ("sub-net", (24,) * 4)):
        network = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0, channels=planes, stem_type="deep", stem_width=8)
        assert numbers(said[name])[0] == sum(p.numel() for p in network.parameters())
    assert numbers(said["exported"])[0] == numbers(said["sub-net"])[0]
    assert "4 clusters" in said["clusters"] and "3 (path 0-0-0-3)" in said["clusters"]
    assert "min" in said["predicted"] or " h" in said["predicted"]
    assert "not measured" in said["arithmetic"]
    each, whole = numbers(said["store"])[:2]
    assert whole == pytest.approx(each * 1e3 * IMAGENET / 1e9, rel=1e-3)


def test_fewer_images_than_sub_nets(dry):
    said, error = dry(miniature(n_subnets=256), **SMALL)
    assert error == ""
    assert said["clusters"].startswith("16 of 256 clusters made") and "255 (path 3-3-3-3)" in said["clusters"]


def test_byol_with_a_trained_teacher(dry):
    params = miniature(method="byol")
    params["heads"]["output_norm"] = False
    params["sdr"] |= {"train_teacher": True, "teacher": "supernet", "w0_share": 0.0}
    for section in ("pretrain", "sdr"):
        params[section]["optimization"]["optimizer"] = "lars"
    said, error = dry(params, **SMALL)
    assert error == "" and numbers(said["exported"])[0] == numbers(said["sub-net"])[0]


def test_the_small_gpu_profile_in_miniature(dry):
    said, error = dry(ROOT / "profiles/gpu-small.yaml", **SMALL, **{"corpus-images": 11_231})
    assert error == ""
    assert "planes 64-128-256-512" in said["sub-net"] and "planes 112-200-400-800" in said["super-net"]
    assert numbers(said["baseline"])[:3] == [round(200 * 11_231 / 512), 512, 11_231]
    assert "instead of builtin" in said["fabricated"]


@pytest.mark.parametrize("profile", BIG, ids=lambda file: file.stem)
def test_the_big_profiles_are_right_and_build(profile, tmp_path):
    params = dry_run.read_profile(profile, tmp_path)
    facts = count_facts(params, IMAGENET)
    assert round(facts.parameters["super-net"] / 1e6, 1) == 56.4 and round(facts.parameters["sub-net"] / 1e6, 1) == 22.6
    assert facts.baseline.images == pytest.approx(200 * IMAGENET, abs=facts.baseline.batch)
    assert facts.sdr.w0_share == pytest.approx(0.2 + 0.8 * 0.4, abs=1e-4)
    macs = facts.macs["sub-net"]  # a backward pass is two forward ones, but for the pixels, which need no gradient
    assert 2 * 2 * 3 * macs * 0.97 < facts.flops["baseline"] < 2 * 2 * 4 * macs * 1.1
    assert facts.flops["baseline"] < facts.flops["sub-net"] < facts.flops["baseline"] + facts.flops["W_0"] / 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 1}, "--steps 1: give 2 at least"),
        ({"images": 3}, "--images 3: give 4 at least"),
        ({"classes": 0}, "--classes 0: give 1 at least"),
        ({"classes": 21}, "--classes 21: give 20 at most"),
        ({"batch": 1}, "--batch 1: give 2 at least"),
        ({"corpus-images": 5}, "--corpus-images 5: give 64 at least"),
        ({"target-device-tflops": 0}, "--target-device-tflops 0: give a number above 0"),
        ({"profile": "profiles/absent.yaml"}, "absent.yaml: not found"),
    ],
)
def test_bad_options_are_told(dry, options, says):
    assert says in dry(miniature(), **options)[1]


def test_a_bad_profile_is_told_by_its_name(dry):
    params = miniature(n_subnet=3)
    params["views"]["side"] = "x"
    error = dry(params)[1]
    assert "profile.yaml: unknown parameter `n_subnet`" in error and "`views.side`" in error
    assert "n_subnets is 1" in dry(miniature(n_subnets=1))[1]
    assert "cannot be cut" in dry(miniature(compute=_accumulating()), **SMALL)[1]


def _accumulating() -> dict:
    compute = miniature()["compute"]
    return compute | {"cpu": compute["cpu"] | {"accumulate": 3}}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_told(dry):
    assert "--device cuda: torch finds no GPU" in dry(miniature(), device="cuda")[1]


def test_fabricated_files_have_the_oddities(tmp_path):
    mean = fabricate(tmp_path, 8, 3)
    files = sorted(tmp_path.glob("n0*/n0*_*.JPEG"))
    assert len(files) == 8 and (tmp_path / "n01440764/n01440764_10026.JPEG") in files
    assert mean == pytest.approx(np.mean([file.stat().st_size for file in files]))
    kinds = set()
    for file in files:
        with Image.open(file) as image:
            kinds.add((image.format, image.mode))
    assert kinds == {("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB")}


def test_schedule_takes_turns():
    drawn = Alternating(8, 256, 4, 0.2, 1.5, 0.4, True, 0)
    assert [drawn.network(step) for step in range(8)] == [W0, 0, W0, 255, W0, 0, W0, 255]


def test_images_dealt_by_hand_go_to_the_two_that_are_trained(tmp_path):
    params = dry_run.read_profile(ROOT / "params.yaml", tmp_path)
    features = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    dealt, words = assign(features, 16, params, torch.device("cpu"))
    assert dealt.tolist() == [0, 15] * 3 and "6 of 16 clusters" in words


def test_predictions_follow_from_steps(tmp_path):
    """Hours of the whole run from step times that are known."""
    params = dry_run.read_profile(BIG[1], tmp_path)
    facts = count_facts(params, IMAGENET)
    seconds = {"baseline": 3.6, "W_0": 7.2, "sub-net": 3.6}
    walk = Walk(1e5, seconds, 1024.0, 10**6, "none", 1, batch=512, timed=2, device="this", resident=False)
    said = measured(params, facts, walk, IMAGENET, 1.0)["predicted"]
    steps = round(200 * IMAGENET / 512)
    mean = facts.sdr.w0_share * 7.2 + (1 - facts.sdr.w0_share) * 3.6
    assert f"baseline {steps * 3.6 / 3600:,.0f} h" in said and f"SDR {steps * mean / 3600:,.0f} h" in said


def test_another_network_than_the_exported_one_is_told(tmp_path):
    spec = Backbone(**miniature()["backbone"])
    first, second = (resnet(spec, spec.subnet_widths).eval() for _ in range(2))
    save_resnet(tmp_path, first, spec, spec.subnet_widths, 32)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    assert read_back(tmp_path, first, images, 32, torch.device("cpu")) > 0
    with pytest.raises(UserError, match="other features"):
        read_back(tmp_path, second, images, 32, torch.device("cpu"))


def test_user_errors_are_not_swallowed(monkeypatch, tmp_path):
    monkeypatch.setattr(dry_run, "walk", lambda *_: (_ for _ in ()).throw(UserError("so it is")))
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(miniature()))
    with pytest.raises(SystemExit, match="so it is"):
        dry_run.main(["--profile", str(tmp_path / "p.yaml"), "--device", "cpu", "--images", "4"])
