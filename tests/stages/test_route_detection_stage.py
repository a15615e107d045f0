"""Routing for detection as a program: a tiny super-net and a tiny set in, the winner and the account of it out."""

import csv
import json

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from sdr.base.outputs import write_json
from sdr.detect.finetune import FineTuning
from sdr.detect.params import Routing
from sdr.detect.sets import encode, write
from sdr.nets.backbone import Backbone
from sdr.nets.calibrate import calibrate, statistics
from sdr.nets.heads import Heads
from sdr.route.trained import TrainedSdr
from sdr.ssl.folder import save_network
from sdr.ssl.simsiam import SimSiam
from stages import route_detection
from tests.detect.toys import Rectangles, detector
from tests.stages.program import run

SPEC = Backbone(
    block="basic",
    layers=[1, 1, 1, 1],
    shared=[8, 8, 8, 16],
    group=[8, 8, 8, 8],
    groups=2,
    stem_type="deep",
    stem_width=4,
)
HEADS = Heads(projection=16, hidden=16, layers=2, output_norm=True, prediction=8)
N = 3
ROUTING = Routing(proxy_images=6, proxy_side=48, keep=2, explore=1, rungs=[1, 2], survivors=[2], val_images=3)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("SDR_DEVICE", "cpu")
    torch.manual_seed(1)  # sub-net 2 wins: neither the first nor the last in the template
    network = SimSiam(SPEC, SPEC.supernet_widths, HEADS)
    for name in ("sdrnet", "calibration", "detection/toys"):
        (tmp_path / "artifacts" / name).mkdir(parents=True)
    save_network(tmp_path / "artifacts/sdrnet", network, SPEC, HEADS, n_subnets=N)
    trained, x, rows = (
        TrainedSdr("artifacts/sdrnet", None, torch.device("cpu")),
        torch.randn(8, 3, 32, 32),
        [],
    )
    for i in range(N):
        calibrate(trained.subnet(i), x + i)
        rows.append(statistics(trained.subnet(i)).clone())
    calibrate(trained.supernet(), x)
    tensors = {"w0": statistics(trained.supernet()), "subnets": torch.stack(rows)}
    save_file(tensors, tmp_path / "artifacts/calibration/bn.safetensors")
    write_json(tmp_path / "artifacts/calibration/meta.json", {"source": "cluster", "images": 8})
    toys = Rectangles(10)
    parts = {"2007_train": toys.all[:6], "2007_val": toys.all[6:]}
    pictures = ((id, encode(image)) for id, image in toys.images.items())
    write(tmp_path / "artifacts/detection/toys", toys.classes, parts, pictures)
    params = {
        "seed": 0,
        "knn": {"k": 3, "temperature": 0.07},
        "embed": {"side": 64, "batch_size": 8},
        "detection": {"toys": {"source": "scenes", "detector": "tiny"}},
        "detectors": {"tiny": detector(routing=ROUTING, batch=2, train_sizes=[48]).model_dump()},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def outputs(workplace) -> dict[str, bytes]:
    folder = workplace / "artifacts/route_detection/toys"
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_the_winner_is_exported_and_the_search_accounted_for(workplace, capsys, monkeypatch):
    run(route_detection, monkeypatch, "toys")
    first = outputs(workplace)
    assert set(first) == {
        "route.json",
        "candidates.csv",
        "backbone/config.json",
        "backbone/model.safetensors",
    }
    route = json.loads(first["route.json"])
    rows = list(csv.DictReader(first["candidates.csv"].decode().splitlines()))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0]) == ["rank", "subnet", "path", "proxy", "proxy_rank", "ap_1", "ap_2"]
    assert int(rows[0]["subnet"]) == route["subnet"] and rows[0]["path"] == route["path"]
    assert float(rows[0]["ap_2"]) == route["ap"] and float(rows[0]["proxy"]) == route["proxy"]
    assert rows[2]["ap_2"] == ""
    assert route["iterations"] == 3 * 1 + 2 * 1 and route["exhaustive_iterations"] == 3 * 2
    assert f"sub-net {route['subnet']} ({route['path']})" in capsys.readouterr().out
    exported = timm.create_model(f"local-dir:{workplace}/artifacts/route_detection/toys/backbone", pretrained=True)
    trained = TrainedSdr("artifacts/sdrnet", "artifacts/calibration", torch.device("cpu"))
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(exported.eval()(x), trained.subnet(route["subnet"])(x), rtol=1e-4, atol=1e-5)
    assert not list((workplace / "scratch").glob("*"))
    run(route_detection, monkeypatch, "toys")
    assert outputs(workplace) == first


def test_interrupted_in_its_last_moment_it_trains_nothing_again(workplace, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(route_detection, "save_resnet", interrupt)
        with pytest.raises(SystemExit, match="interrupted"):
            run(route_detection, monkeypatch, "toys")
    assert not any((workplace / "artifacts/route_detection").iterdir())
    monkeypatch.setattr(FineTuning, "advance", interrupt)
    run(route_detection, monkeypatch, "toys")
    assert "route.json" in outputs(workplace)


def test_a_set_that_was_not_prepared(workplace, monkeypatch):
    (workplace / "artifacts/detection/toys/annotations.json").unlink()
    with pytest.raises(SystemExit, match=r"annotations\.json: not found; run"):
        run(route_detection, monkeypatch, "toys")
    assert not (workplace / "artifacts/route_detection").exists()


def test_a_detector_that_is_not_in_params(workplace, monkeypatch):
    params = yaml.safe_load((workplace / "params.yaml").read_text())
    params["detection"]["toys"]["detector"] = "huge"
    (workplace / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(SystemExit, match=r"`detectors\.huge` is missing"):
        run(route_detection, monkeypatch, "toys")
