"""Networks from wherever they are, read back as the pipeline reads them."""

import hashlib
import json
import urllib.error
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from pydantic import TypeAdapter

from sdr.base.errors import UserError
from sdr.base.randomness import derive
from sdr.compare.compare import CompareSpec
from sdr.compare.make_backbone import make_backbone
from sdr.nets.folder import load_backbone, load_resnet
from sdr.nets.heads import Heads
from sdr.nets.pixels import normalise
from sdr.ssl.simsiam import SimSiam
from tests.compare.checkpoints import SUBNET, linear, prefixed, randomise

CPU = torch.device("cpu")
RGB = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
X = normalise(RGB)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make the backbone `it` of an entry; return its folder. Checkpoints lie in tmp_path, and there is no network."""

    def refuse(url, *args, **kwargs):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SDR_CHECKPOINTS", str(tmp_path))
    made = []

    def run(seed=0, name="it", **entry):
        made.append(tmp_path / f"made{len(made)}")
        made[-1].mkdir()
        spec = TypeAdapter(CompareSpec).validate_python(entry)
        facts = make_backbone(name, spec, SUBNET, seed, made[-1])
        assert json.loads((made[-1] / "config.json").read_text())["sdr"].items() >= facts.items()
        return made[-1]

    return run


def features(folder, x=X):
    with torch.no_grad():
        return load_backbone(folder, CPU)(x)


def torchvision_features(network):
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        return network(X)


def test_random_is_a_function_of_the_seed_and_of_nothing_else(make):
    first = make(source="random")
    torch.rand(1)
    assert torch.equal(features(first), features(make(source="random")))
    assert not torch.allclose(features(first), features(make(source="random", seed=1)))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make(source="random")
    assert torch.equal(torch.rand(3), expected)  # nobody else's draws change


def test_random_is_what_the_baseline_starts_from(make):
    torch.manual_seed(derive(0, "weights"))
    spec = SUBNET.single()
    start = SimSiam(
        spec, spec.supernet_widths, Heads(projection=8, hidden=8, layers=2, output_norm=True, prediction=4)
    ).backbone.state_dict()
    network = load_resnet(make(source="random"))
    assert all(torch.equal(value, start[name]) for name, value in network.state_dict().items())
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert all(not layer.running_mean.any() and (layer.running_var == 1).all() for layer in norms)


def test_pixels(make):
    assert features(make(source="pixels", side=4)).shape == (2, 48)


def test_torchvisions_network_is_the_same_in_timm(make):
    torch.manual_seed(derive(0, "weights"))
    network = torchvision.models.resnet18().eval()
    folder = make(source="torchvision", model="resnet18", weights=None)
    torch.testing.assert_close(features(folder), torchvision_features(network), rtol=1e-4, atol=1e-5)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Torchvision's weights of resnet18, of which the file is made here: its name has the hash, as the real one's."""
    torch.manual_seed(3)
    network = randomise(torchvision.models.resnet18())
    content = tmp_path / "content"
    torch.save(network.state_dict(), content)
    digest = hashlib.sha256(content.read_bytes()).hexdigest()
    weights = torchvision.models.ResNet18_Weights.DEFAULT.value
    url = weights.url
    file = tmp_path / f"torch/hub/checkpoints/resnet18-{digest[:8]}.pth"
    file.parent.mkdir(parents=True)
    object.__setattr__(weights, "url", f"https://somewhere/models/{file.name}")
    yield network, content, file
    object.__setattr__(weights, "url", url)


def test_torchvisions_weights(make, published):
    network, content, file = published
    content.rename(file)
    folder = make(source="torchvision", model="resnet18", weights="DEFAULT")
    facts = json.loads((folder / "config.json").read_text())["sdr"]
    assert (facts["weights"], facts["file"]) == ("IMAGENET1K_V1", file.name)
    assert facts["sha256"].startswith(file.stem.split("-")[1])
    torch.testing.assert_close(features(folder), torchvision_features(network), rtol=1e-4, atol=1e-5)


def test_torchvisions_weights_without_a_network(make, published):
    _, content, file = published
    with pytest.raises(UserError) as error:
        make(source="torchvision", model="resnet18", weights="IMAGENET1K_V1")
    message = str(error.value)
    assert message.startswith(f"{file}: not found, and it cannot be downloaded (URLError: ")
    assert message.endswith(f"put https://somewhere/models/{file.name} there yourself")
    file.write_bytes(content.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"{file}: damaged; delete it"):
        make(source="torchvision", model="resnet18", weights="IMAGENET1K_V1")
    file.write_bytes(content.read_bytes() + b"\0")
    with pytest.raises(UserError, match=f"{file}: damaged .its sha256 is .*delete it"):
        make(source="torchvision", model="resnet18", weights="IMAGENET1K_V1")
    with pytest.raises(UserError, match="it.weights: torchvision has no IMAGENET1K_V2 of resnet18, only IMAGENET1K_V1"):
        make(source="torchvision", model="resnet18", weights="IMAGENET1K_V2")


def test_a_model_of_timm_with_its_own_normalisation_and_size(make):
    torch.manual_seed(derive(0, "weights"))
    network = timm.create_model("test_vit", num_classes=0, img_size=48).eval()
    assert network.pretrained_cfg["mean"] == (0.5, 0.5, 0.5) and network.pretrained_cfg["fixed_input_size"]
    folder = make(source="timm", model="test_vit", pretrained=False, img_size=48)
    with torch.no_grad():
        shown = torch.nn.functional.interpolate(RGB, (48, 48), mode="bicubic", antialias=True) * 2 - 1
        torch.testing.assert_close(features(folder), network(shown), rtol=1e-4, atol=1e-5)
    assert features(folder).shape == (2, network.num_features)
    assert features(make(source="timm", model="test_vit", pretrained=False, seed=1)).shape == (
        2,
        64,
    )  # at 160 px


def test_a_model_of_timm_that_cannot_be_had(make):
    with pytest.raises(UserError, match=r"it: timm cannot create test_resnet .*Offline: save it elsewhere as a folder"):
        make(source="timm", model="test_resnet")
    with pytest.raises(UserError, match=r"it: timm cannot create rasnet .*Unknown model.*list_models\('\*rasnet\*'"):
        make(source="timm", model="rasnet", pretrained=False)


@pytest.fixture
def moco(tmp_path):
    """A checkpoint of ResNet-50's real size as MoCo v2's training saves it, and torchvision's own network in it."""
    torch.manual_seed(0)
    network = randomise(torchvision.models.resnet50(num_classes=1)).eval()
    body = {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}
    state = prefixed("module.encoder_q.", body)
    state |= linear("module.encoder_q.fc.0") | linear("module.encoder_q.fc.2") | {"module.queue": torch.zeros(2, 2)}
    torch.save(
        {"epoch": 800, "arch": "resnet50", "state_dict": state, "optimizer": {"lr": 0.03}},
        tmp_path / "moco.pth.tar",
    )
    return network


def test_a_checkpoint_of_real_size(make, moco, tmp_path):
    file = {"source": "checkpoint", "file": "moco.pth.tar"}
    digest = hashlib.sha256((tmp_path / "moco.pth.tar").read_bytes()).hexdigest()
    folder = make(**file, layout="moco_v2", sha256=digest)
    expected = torchvision_features(moco)
    assert expected.shape == (2, 2048)
    torch.testing.assert_close(features(folder), expected, rtol=1e-3, atol=1e-4)
    facts = json.loads((folder / "config.json").read_text())["sdr"]
    assert (facts["sha256"], facts["layout"]) == (digest, "moco_v2")
    assert facts["beside"] == ["epoch", "arch", "optimizer"]
    assert len(facts["dropped"]) == 5 and "module.queue" in facts["dropped"]
    assert load_resnet(folder).num_features == 2048

    with pytest.raises(UserError, match="moco.pth.tar in layout moco_v1: 4 surplus: .*those of layout moco_v2"):
        make(**file, layout="moco_v1")
    with pytest.raises(UserError, match="its sha256 is"):
        make(**file, layout="moco_v2", sha256="0" * 64)
    with pytest.raises(UserError, match="198 surplus: .*misshapen: "):
        make(**file, layout="moco_v2", model="resnet18")


def small_file(path: Path, seed=4, **entries):
    torch.manual_seed(seed)
    network = randomise(torchvision.models.resnet18(num_classes=3)).eval()
    torch.save({"state_dict": network.state_dict(), **entries}, path)
    return network


def test_normalisation_of_a_checkpoint(make, tmp_path):
    """`none` is exactly feeding RGB in [0, 1]; it is what SimCLR's layouts mean, unless the entry says otherwise."""
    network = small_file(tmp_path / "file.pth")
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        expected = {"none": network(RGB), "imagenet": network(X)}
    file = {"source": "checkpoint", "file": "file.pth", "model": "resnet18"}
    for layout, said, meant in [
        ("simclr_v1", None, "none"),
        ("simclr_v1", "imagenet", "imagenet"),
        ("plain", "none", "none"),
    ]:
        folder = make(**file, layout=layout, normalise=said)
        torch.testing.assert_close(features(folder), expected[meant], rtol=1e-4, atol=1e-5)


def test_a_folder_of_timm_with_its_classifier(make, tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=7, img_size=32).eval()
    timm.models.save_for_hf(network, tmp_path / "vit", model_args={"img_size": 32}, safe_serialization=True)
    folder = make(source="checkpoint", layout="timm_local", file="vit")
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(RGB * 2 - 1), pre_logits=True)
    torch.testing.assert_close(features(folder), expected, rtol=1e-4, atol=1e-5)
    (tmp_path / "vit/config.json").write_text("{}")
    with pytest.raises(UserError, match="vit is not a folder that timm loads"):
        make(source="checkpoint", layout="timm_local", file="vit")
    (tmp_path / "vit/model.safetensors").unlink()
    with pytest.raises(UserError, match="vit/model.safetensors: no such file"):
        make(source="checkpoint", layout="timm_local", file="vit")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("model_args", "features_only", True),
        ("model_args", "no_such_argument", 1),
        *(("pretrained_cfg", "mean", value) for value in ("0.5", 0.5, [0.5], [0.5, 0.5, "x"], [0, 0, float("nan")])),
        *(("pretrained_cfg", "std", value) for value in ([0, 1, 1], [1, -1, 1], [1, 1, float("inf")], [1, 1, True])),
        *(("pretrained_cfg", "input_size", value) for value in ([1, 8, 8], [8, 8], "32")),
    ],
)
def test_a_malformed_folder_of_timm_is_one_message(make, section, key, value):
    folder = make(source="random")
    config = json.loads((folder / "config.json").read_text())
    config[section][key] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="is not a folder that timm loads"):
        make(source="checkpoint", layout="timm_local", file=folder.name)
    if section == "pretrained_cfg":
        with pytest.raises(UserError, match="not a network of this project, or altered"):
            load_backbone(folder, CPU)


def test_a_network_of_several_in_a_file(make, tmp_path):
    network = small_file(tmp_path / "file.pth")
    ema = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    torch.save({"state_dict": ema, "state_dict_ema": network.state_dict()}, tmp_path / "file.pth")
    file = {"source": "checkpoint", "file": "file.pth", "model": "resnet18", "layout": "plain"}
    with pytest.raises(UserError, match="several networks in it: state_dict, state_dict_ema"):
        make(**file)
    folder = make(**file, entry="state_dict_ema")
    torch.testing.assert_close(features(folder), torchvision_features(network), rtol=1e-4, atol=1e-5)
    facts = json.loads((folder / "config.json").read_text())["sdr"]
    assert (facts["entry"], facts["beside"]) == ("state_dict_ema", ["state_dict"])


def test_what_the_pipeline_writes_is_a_folder_of_timm(make, tmp_path):
    first = make(source="random")
    again = make(source="checkpoint", layout="timm_local", file=first.name)
    assert torch.equal(features(first), features(again))


def test_the_projects_own_names_are_taken(make):
    with pytest.raises(UserError, match="compare.sdr: a column of our own tables has this name"):
        make(name="sdr", source="random")
