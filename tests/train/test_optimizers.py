"""Optimizers against the formulas that they are published with."""

import pytest
import torch

from sdr.nets.supernet import SubNets
from sdr.ssl.byol import Byol
from sdr.ssl.simsiam import SimSiam
from sdr.train.optimizers import Optimization, make_optimizer, set_lr
from tests.train.toys import HEADS, LARS, SGD, SPEC


def network(cls=SimSiam):
    torch.manual_seed(0)
    found = cls(SPEC, SPEC.subnet_widths, HEADS).double()
    for p in found.parameters():
        if p.requires_grad:
            p.data += 0.1 * torch.randn_like(p)  # no zeros: an adapted rate would be 1 there
    return found


def steps(net, optimizer, gradients, rates=(0.3, 0.7)):
    for gradient in gradients:
        for p, g in zip((p for p in net.parameters() if p.requires_grad), gradient):
            p.grad = g.clone()
        set_lr(optimizer, *rates)
        optimizer.step()


@pytest.mark.parametrize(("params", "fused"), [(SGD, False), (SGD, True), (LARS, False)])
@pytest.mark.parametrize("cls", [SimSiam, Byol])
def test_three_steps_are_the_formulas(params, fused, cls):
    """SGD: m ← μ m + g + λ w. LARS (You et al. 2017): g + λ w is scaled by 0.001 ‖w‖ / (‖g‖ + λ ‖w‖) where it is a
    weight; biases and batch norms have neither decay nor scale. Then w ← w − lr m, with the part's own rate."""
    net = network(cls)
    trained = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    w = [p.detach().clone() for _, p in trained]
    m = [torch.zeros_like(p) for p in w]
    torch.manual_seed(1)
    gradients = [[torch.randn_like(p) for p in w] for _ in range(3)]
    steps(net, make_optimizer(net, params, fused), gradients)
    for gradient in gradients:
        for i, (name, _) in enumerate(trained):
            g, decay = gradient[i], params.weight_decay
            if params.optimizer == "lars" and w[i].ndim == 1:
                decay = 0.0
            update = g + decay * w[i]
            if params.optimizer == "lars" and w[i].ndim > 1:
                update = update * (0.001 * w[i].norm() / (g.norm() + decay * w[i].norm()))
            m[i] = params.momentum * m[i] + update
            w[i] = w[i] - (0.7 if name.startswith("predictor") else 0.3) * m[i]
    for (_, p), expected in zip(trained, w, strict=True):
        torch.testing.assert_close(p.detach(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("params", [SGD, LARS])
def test_momentum_is_sliced_and_comes_back(params):
    """A step on a path moves the momentum of that path alone, in the super-net's own optimizer."""
    supernet, template = (SimSiam(SPEC, w, HEADS) for w in (SPEC.supernet_widths, SPEC.subnet_widths))
    optimizers = [make_optimizer(n, params, False) for n in (supernet, template)]
    subnets = SubNets(supernet, template, SPEC, tuple(optimizers))
    subnets.check_out((1, 0, 1, 0))
    for p in template.parameters():
        p.grad = torch.ones_like(p)
    set_lr(optimizers[1], 0.1, 0.1)
    optimizers[1].step()
    subnets.check_in((1, 0, 1, 0))
    moved = optimizers[0].state[supernet.projector[0].weight]["momentum_buffer"].abs().sum(0) > 0
    assert moved.tolist() == [True] * 8 + [True] * 4 + [False] * 4  # shared, group 0, group 1 of the last stage


def test_the_peak_follows_the_linear_rule():
    assert Optimization(**(SGD.model_dump() | {"batch_size": 512, "lr": 0.05})).peak == pytest.approx(0.1)
    assert Optimization(**(SGD.model_dump() | {"batch_size": 64, "lr": 0.4})).peak == pytest.approx(0.1)
