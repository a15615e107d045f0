"""Folders and modules: what is loaded computes what was saved, on images as the project shows them."""

import json

import numpy as np
import pytest
import timm
import torch

from sdr.base.errors import UserError
from sdr.nets.backbone import resnet
from sdr.nets.embed import Embedding, embed
from sdr.nets.folder import load_backbone, load_resnet, save_pixels, save_resnet, save_timm
from sdr.nets.pixels import MEAN, STD, Adapt, normalise
from tests.compare.checkpoints import SUBNET, randomise

CPU = torch.device("cpu")
RGB = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))  # in [0, 1]


def tiny(mean=MEAN, std=STD, **arguments):
    torch.manual_seed(0)
    network = randomise(timm.create_model("test_resnet", num_classes=0, **arguments))
    network.pretrained_cfg |= {"mean": mean, "std": std}
    return network


def vit(size, mean=MEAN, std=STD):
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=size, depth=1, embed_dim=24).eval()
    network.pretrained_cfg |= {"mean": mean, "std": std}
    return network


def box_means(image: np.ndarray, side: int) -> np.ndarray:
    """H×H×3 → side×side×3: the mean over the pixels that a box touches, where boxes divide [0, H) evenly."""
    size = len(image)
    edges = [(int(np.floor(i * size / side)), int(np.ceil((i + 1) * size / side))) for i in range(side)]
    return np.array([[image[a:b, c:d].mean((0, 1)) for c, d in edges] for a, b in edges])


@pytest.mark.parametrize(("size", "side", "left"), [(64, 32, 32), (48, 32, 32), (32, 8, 8), (16, 32, 16)])
def test_pixels_are_box_means_of_rgb(tmp_path, size, side, left):
    save_pixels(tmp_path, side, {})
    images = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    features = embed(load_backbone(tmp_path, CPU), images, Embedding(side=size, batch_size=2), CPU)
    expected = [box_means(image / 255, left).transpose(2, 0, 1).ravel() for image in images]
    np.testing.assert_allclose(features, expected, atol=1e-6)


@torch.no_grad()
def test_what_is_saved_is_loaded_here_and_by_timm(tmp_path):
    network = tiny(block_args={}, stem_width=16)
    save_timm(tmp_path, network, {"source": "test"}, stem_width=16)
    x = normalise(RGB)
    assert torch.equal(load_backbone(tmp_path, CPU)(x), network.to(memory_format=torch.channels_last)(x))
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    torch.testing.assert_close(theirs(x), network(x))
    assert tuple(timm.data.resolve_model_data_config(theirs)["mean"]) == MEAN
    assert json.loads((tmp_path / "config.json").read_text())["sdr"] == {"kind": "timm", "source": "test"}


@torch.no_grad()
def test_an_export_of_the_project_is_loaded(tmp_path):
    network = randomise(resnet(SUBNET, SUBNET.subnet_widths))
    save_resnet(tmp_path, network, SUBNET, SUBNET.subnet_widths, 32)
    x = normalise(RGB)
    torch.testing.assert_close(load_backbone(tmp_path, CPU)(x), network(x))
    torch.testing.assert_close(load_resnet(tmp_path)(x), network(x))


@torch.no_grad()
@pytest.mark.parametrize(("mean", "std"), [((0.0,) * 3, (1.0,) * 3), ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))])
def test_a_network_sees_images_as_it_was_trained(tmp_path, mean, std):
    """Unnormalised ones for `none`: exactly what feeding it RGB in [0, 1] gives."""
    network = tiny(mean, std)
    save_timm(tmp_path, network, {})
    shown = (RGB - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    features = load_backbone(tmp_path, CPU)(normalise(RGB))
    torch.testing.assert_close(features, network(shown), rtol=1e-4, atol=1e-5)
    assert (features - network(normalise(RGB))).abs().max() > 1e-2
    raw = load_resnet(tmp_path)
    torch.testing.assert_close(raw(shown), network(shown))
    assert (tuple(raw.pretrained_cfg["mean"]), tuple(raw.pretrained_cfg["std"])) == (mean, std)


@torch.no_grad()
def test_a_network_of_one_size_gets_images_of_that_size(tmp_path):
    network = vit(32, (0.5,) * 3, (0.5,) * 3)
    save_timm(tmp_path, network, {}, img_size=32, depth=1, embed_dim=24)
    loaded = load_backbone(tmp_path, CPU)
    for size in (24, 32, 48):
        rgb = torch.rand(2, 3, size, size)
        shown = torch.nn.functional.interpolate(rgb, (32, 32), mode="bicubic", antialias=True) * 2 - 1
        features = loaded(normalise(rgb))
        assert features.shape == (2, 24)
        torch.testing.assert_close(features, network(shown), rtol=1e-4, atol=1e-5)


def test_nothing_is_done_where_nothing_is_to_do():
    x = normalise(RGB)
    assert torch.equal(Adapt(MEAN, STD, (24, 24))(x), x)


def test_detection_is_for_resnets(tmp_path):
    for name, save in (
        ("pixels", lambda to: save_pixels(to, 8, {})),
        ("vit", lambda to: save_timm(to, vit(32), {}, img_size=32, depth=1, embed_dim=24)),
    ):
        (tmp_path / name).mkdir()
        save(tmp_path / name)
        with pytest.raises(UserError, match=f"{name}: not a ResNet"):
            load_resnet(tmp_path / name)


def test_what_does_not_belong_together_is_said(tmp_path):
    with pytest.raises(UserError, match="config.json: not found; run the stage that writes"):
        load_backbone(tmp_path, CPU)
    save_timm(tmp_path, tiny(), {})
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:1000])
    with pytest.raises(UserError, match="not a network of this project, or altered"):
        load_backbone(tmp_path, CPU)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match="model.safetensors: not found"):
        load_backbone(tmp_path, CPU)
    (tmp_path / "model.safetensors").write_bytes(weights)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_args": {"layers": [2, 1, 1, 1]}}))
    with pytest.raises(UserError, match="altered"):
        load_backbone(tmp_path, CPU)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        load_backbone(tmp_path, CPU)
