"""What is exported loads in timm by itself and computes the same."""

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.calibrate import calibrate
from sdr.nets.embed import Embedding, embed
from sdr.nets.folder import save_resnet

SPECS = [
    Backbone(
        block="basic",
        layers=[1, 1, 1, 1],
        shared=[16, 32, 64, 128],
        group=[4, 8, 16, 32],
        groups=4,
        stem_type="deep",
        stem_width=8,
    ),
    Backbone(
        block="bottleneck",
        layers=[1, 2, 1, 1],
        shared=[5, 8, 8, 8],
        group=[3, 2, 2, 2],
        groups=2,
        stem_type="",
        stem_width=64,
    ),
]


@pytest.fixture(params=SPECS, ids=["basic", "bottleneck"])
def exported(request, tmp_path):
    spec = request.param
    torch.manual_seed(0)
    network = resnet(spec, spec.subnet_widths)
    calibrate(network, torch.randn(16, 3, 64, 64))
    save_resnet(tmp_path, network.eval(), spec, spec.subnet_widths, 64)
    return network, tmp_path


def test_timm_loads_it_and_features_agree(exported):
    network, directory = exported
    loaded = timm.create_model(f"local-dir:{directory}", pretrained=True).eval()
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        assert (loaded(x) - network(x)).abs().max() < 1e-5
    pyramid = timm.create_model(f"local-dir:{directory}", pretrained=True, features_only=True).eval()
    assert pyramid(x)[-1].shape[1] == network.num_features


def test_preprocessing_travels(exported):
    network, directory = exported
    loaded = timm.create_model(f"local-dir:{directory}", pretrained=True).eval()
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    transform = create_transform(**resolve_model_data_config(loaded), is_training=False)
    with torch.no_grad():
        theirs = loaded(transform(Image.fromarray(image)).unsqueeze(0)).numpy()
    ours = embed(network, image[None], Embedding(side=64, batch_size=1), torch.device("cpu"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_config_is_plain_json(exported):
    config = json.loads((exported[1] / "config.json").read_text())
    assert config["num_classes"] == 0 and config["pretrained_cfg"]["input_size"] == [3, 64, 64]
