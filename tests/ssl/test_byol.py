"""BYOL's loss and target against closed forms."""

import math

import pytest
import torch

from sdr.nets.heads import Heads, projector
from sdr.ssl.byol import Byol, Target
from sdr.ssl.method import build
from sdr.ssl.simsiam import SimSiam
from tests.train.toys import HEADS, SPEC


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Byol(SPEC, SPEC.subnet_widths, HEADS)


def test_the_loss_is_the_squared_distance_of_unit_vectors():
    p1, p2, t1, t2 = torch.randn(4, 6, 5, dtype=torch.float64).requires_grad_()
    unit = torch.nn.functional.normalize
    expected = ((unit(p1) - unit(t2)) ** 2).sum(1).mean() + ((unit(p2) - unit(t1)) ** 2).sum(1).mean()
    torch.testing.assert_close(Byol.loss(p1, p2, t1, t2), expected)


def test_targets_begin_as_the_online_network_and_get_no_gradient(network):
    z, p, t = network(torch.randn(4, 3, 16, 16))
    torch.testing.assert_close(z, t)
    assert not t.requires_grad
    Byol.loss(p, p, t, t).backward()
    assert all(q.grad is None for q in network.followers.parameters())
    assert all(q.grad is not None for q in network.predictor.parameters())


def test_the_target_follows(network):
    before = [q.clone() for q in network.followers.parameters()]
    with torch.no_grad():
        for part in (network.backbone, network.projector):
            for q in part.parameters():
                q.add_(torch.randn_like(q))
    network.follow(0.9)
    online = [*network.backbone.parameters(), *network.projector.parameters()]
    for old, new, theta in zip(before, network.followers.parameters(), online, strict=True):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * theta)


def test_the_momentum_rises_to_one():
    target = Target(momentum=0.99)
    found = [target.at(step, 100) for step in range(101)]
    assert found[0] == pytest.approx(0.99) and found[100] == pytest.approx(1.0)
    assert found[50] == pytest.approx(1 - 0.01 * 0.5) and found == sorted(found)
    assert found[25] == pytest.approx(1 - 0.01 * (math.cos(math.pi / 4) + 1) / 2)


def test_methods_by_name():
    for method, cls in (("simsiam", SimSiam), ("byol", Byol)):
        network = build(method, SPEC, SPEC.subnet_widths, HEADS)
        assert type(network) is cls and network.method == method


def test_byols_heads_are_as_published():
    """Projector 2048 → 4096 → 256 with one batch norm, in the middle (Grill et al., section 3.3)."""
    heads = Heads(projection=256, hidden=4096, layers=2, output_norm=False, prediction=4096)
    layers = projector(2048, heads)
    assert [type(layer).__name__ for layer in layers] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert layers[0].weight.shape == (4096, 2048) and layers[3].weight.shape == (256, 4096)


def test_simsiams_heads_are_as_published():
    """Three layers, batch norm on each, the last without affine parameters (Chen and He, appendix A)."""
    layers = projector(2048, Heads(projection=2048, hidden=2048, layers=3, output_norm=True, prediction=512))
    assert [type(layer).__name__ for layer in layers] == ["Linear", "BatchNorm1d", "ReLU"] * 2 + [
        "Linear",
        "BatchNorm1d",
    ]
    assert layers[-1].weight is None and layers[1].weight is not None
