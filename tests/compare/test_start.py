"""What `pretrain.init` may name: each kind gives timm's own weights, and what is wrong is one line."""

import json

import huggingface_hub.constants
import pytest
import timm
import torch
from pydantic import TypeAdapter

from sdr.base.errors import UserError
from sdr.compare.compare import CompareSpec
from sdr.compare.start import open_start
from sdr.nets.heads import Heads
from sdr.ssl.folder import save_network
from sdr.ssl.method import build
from tests.nets.ready import WIDTHS, ready, save
from tests.train.toys import HEADS, SPEC

X = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
ENTRIES = {
    "mine": {"source": "checkpoint", "layout": "timm_local", "file": "mine"},
    "theirs": {"source": "torchvision", "model": "resnet18", "weights": None},
    "drawn": {"source": "timm", "model": "resnet10t", "pretrained": False},
    "gone": {"source": "timm", "model": "resnet10t"},
    "random": {"source": "random"},
    "pixels": {"source": "pixels"},
}


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """`open_start` in an empty folder, without a net."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("SDR_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    entries = TypeAdapter(dict[str, CompareSpec]).validate_python(ENTRIES)

    def begin(init, weights=True):
        place = tmp_path / f"place {init.replace('/', ' ')} {weights}"
        place.mkdir()
        return open_start(init, entries, 2, 0, place, weights)

    return begin


def same(found, network) -> bool:
    network.reset_classifier(0)
    with torch.no_grad():
        return torch.equal(
            found.backbone.eval()(X) if found.backbone.num_classes == 0 else _bare(found.backbone)(X), network(X)
        )


def _bare(network):
    network.reset_classifier(0)
    return network.eval()


@pytest.mark.parametrize("init", ["there", "mine"])
def test_a_folder_of_timms_and_an_entry(begin, tmp_path, init):
    network = ready("resnet26d")
    save(network, tmp_path / ("there" if init == "there" else "mine"))
    found = begin(init)
    assert same(found, network) and found.head is None and found.spec.subnet_widths == WIDTHS
    if init == "there":
        assert set(found.facts["files"]) == {"config.json", "model.safetensors"}


def test_the_baseline_of_a_run_brings_its_head(begin, tmp_path):
    torch.manual_seed(0)
    alone = SPEC.single()
    network = build("byol", alone, alone.supernet_widths, HEADS)
    (tmp_path / "run").mkdir()
    save_network(tmp_path / "run", network, alone, HEADS)
    found = begin("run")
    assert found.spec.subnet_widths == SPEC.subnet_widths and found.spec.groups == 2
    theirs, heads = found.head
    assert isinstance(heads, Heads) and theirs.method == "byol"
    assert all(torch.equal(a, b) for a, b in zip(theirs.projector.parameters(), network.projector.parameters()))


@pytest.mark.parametrize("init", ["timm:resnet10t", "drawn", "gone", "theirs"])
def test_the_shape_alone_needs_no_net(begin, init):
    found = begin(init, weights=False)
    expected = timm.create_model("resnet18" if init == "theirs" else "resnet10t")
    assert [len(getattr(expected, f"layer{i}")) for i in range(1, 5)] == found.spec.layers
    assert found.spec.subnet_widths[-1] == expected.num_features


@pytest.mark.parametrize(
    ("init", "says"),
    [
        ("timm:resnet999", "pretrain.init timm:resnet999: timm cannot create resnet999"),
        ("timm:no/name", "pretrain.init timm:no/name: no name of a network of timm's"),
        ("timm:resnet10t.c3_in1k", "timm cannot create resnet10t.c3_in1k"),
        ("gone", "compare.gone: timm cannot create resnet10t"),
        ("timm:test_vit", "no network that a sub-net could be"),
        ("timm:test_resnet", "layer3.0.bn3.bias differs"),  # blocks of both kinds
        ("nowhere", "nowhere is neither timm:NAME, an entry of `compare` nor a folder; entries are mine, theirs"),
        ("hollow", "hollow/config.json: not found; give a folder that timm loads"),
        ("torn", "torn: not a network of this project, or altered"),
        ("pixels", "compare.pixels: source pixels is no network that was trained"),
        ("mine", "no such file; put the checkpoint there"),
    ],
)
def test_bad_input_is_one_line(begin, tmp_path, init, says):
    (tmp_path / "hollow").mkdir()
    save(ready(), tmp_path / "torn")
    config = json.loads((tmp_path / "torn/config.json").read_text())
    (tmp_path / "torn/config.json").write_text(json.dumps(config | {"architecture": "resnet50"}))
    with pytest.raises(UserError) as told:
        begin(init, weights=not init.startswith("timm:test_"))
    assert says in str(told.value) and "\n" not in str(told.value)
