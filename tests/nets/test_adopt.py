"""Ready networks as sub-nets: read off with timm's own as the oracle, and each path computes what they do."""

import pytest
import torch
import yaml
from timm.layers import BlurPool2d

from sdr.base.errors import UserError
from sdr.nets.adopt import check_same, spec_of
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.calibrate import set_statistics, statistics
from sdr.nets.paths import path_of
from sdr.nets.supernet import SubNets, fill
from tests.nets.ready import WIDTHS, ready

X = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
NAMES = ["resnet18", "resnet18d", "resnet26", "resnet26d", "resnet26t", "resnet50c"]


class Encoder(torch.nn.Module):
    """A backbone under the name that the slices go by, and a head's first layer."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.projector = backbone, torch.nn.Sequential(torch.nn.Linear(backbone.num_features, 4))


@pytest.mark.parametrize("name", NAMES)
def test_every_path_computes_what_timm_does(name):
    network = ready(name, channels=(64, 20, 24, 32) if name.startswith("resnet18") else WIDTHS)
    spec = spec_of(network, 3, name)
    whole, template, start = (
        Encoder(resnet(spec, widths)) for widths in (spec.supernet_widths, *[spec.subnet_widths] * 2)
    )
    start.backbone.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("fc.")})
    network.reset_classifier(0)
    with torch.no_grad():
        assert torch.equal(start.eval().backbone(X), network(X))
        fill(whole, start, spec)
        subnets = SubNets(whole, template, spec)
        for number in {0, 1, spec.n_paths // 2, spec.n_paths - 1}:
            found = subnets.check_out(path_of(number, 3)).eval().backbone
            set_statistics(found, statistics(start.backbone))
            torch.testing.assert_close(found(X), network(X), rtol=1e-5, atol=1e-5)
    assert spec.n_paths == (27 if name.startswith("resnet18") else 81)


@pytest.mark.parametrize("groups", [1, 2, 4, 7, 20])
@pytest.mark.parametrize("name", ["resnet34", "resnet50"])
def test_half_of_all_channels_are_shared(name, groups):
    """At full size, from shapes alone."""
    with torch.device("meta"):
        widths = (64, 128, 256, 512)
        spec = _read(name, groups)
    assert spec.subnet_widths == widths and spec.layers == [3, 4, 6, 3]
    for stage in range(name == "resnet34", 4):
        assert 0.4 < spec.shared[stage] / spec.supernet_widths[stage] < 0.62
    if groups == 4:
        assert spec.group == ([0, 24, 48, 96] if name == "resnet34" else [12, 24, 48, 96])  # those of profiles/gpu.yaml


def _read(name, groups):
    import timm

    from sdr.nets.adopt import _read_off

    return _read_off(timm.create_model(name), groups)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (lambda: ready("seresnet50"), "layer1.0.se"),
        (lambda: ready("resnext50_32x4d", channels=(64, 64, 64, 64)), "differs"),
        (lambda: ready("wide_resnet50_2"), "differs"),
        (lambda: ready("resnet18", aa_layer=BlurPool2d), "computes something else"),
        (lambda: ready("resnet18", act_layer=torch.nn.SiLU), "computes something else"),
        (lambda: ready("resnet18", output_stride=8), "computes something else"),
        (lambda: torch.nn.Linear(3, 3), "Linear is no network"),
    ],
)
def test_others_are_refused_with_what_is_supported(network, says):
    with pytest.raises(UserError, match=says) as told:
        spec_of(network(), 4, "mine")
    assert "mine: " in str(told.value) and "resnet18, 26, 34, 50" in str(told.value) and "\n" not in str(told.value)


def test_images_of_another_mean_are_refused():
    network = ready()
    network.pretrained_cfg["mean"] = (0.5, 0.5, 0.5)
    with pytest.raises(UserError, match=r"mine: was trained on images of mean \(0.5, 0.5, 0.5\)"):
        spec_of(network, 4, "mine")


@pytest.mark.parametrize("name", NAMES)
def test_the_message_holds_the_lines_to_write(name):
    wanted = spec_of(ready(name), 2, name)
    other = wanted.model_copy(update={"layers": [2, 1, 1, 1]})
    with pytest.raises(UserError, match="timm:it has 1-1-1-1") as told:
        check_same(wanted, other, "timm:it")
    line = str(told.value).split("`")[1]
    assert Backbone(**yaml.safe_load(line)["backbone"]) == wanted
    check_same(wanted, wanted.model_copy(update={"shared": list(wanted.subnet_widths), "group": [0] * 4}), "timm:it")
