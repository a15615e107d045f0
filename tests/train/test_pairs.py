"""Side by side or one after the other: the same numbers, and plain autograd's gradients."""

import copy

import pytest
import torch

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.simsiam import SimSiam
from sdr.train.norms import batch_statistics
from sdr.train.pairs import Pairs

SPEC = Backbone(
    block="basic",
    layers=[1, 1, 1, 1],
    shared=[4, 4, 6, 8],
    group=[2, 2, 2, 4],
    groups=2,
    stem_type="deep",
    stem_width=5,
)


def test_gradients_are_those_of_one_graph(two_threads):
    torch.manual_seed(0)
    network = SimSiam(
        SPEC, SPEC.subnet_widths, Heads(projection=16, hidden=16, layers=2, output_norm=True, prediction=8)
    ).double()
    plain = copy.deepcopy(network)
    x1, x2 = torch.randn(2, 8, 3, 16, 16, dtype=torch.float64)

    (_, p1, t1), (_, p2, t2) = plain(x1), plain(x2)
    plain.loss(p1, p2, t1, t2).backward()

    def losses(p1, p2):
        return torch.stack([network.loss(p1, p2, first[2], second[2])])

    with Pairs(torch.device("cpu")) as pairs, batch_statistics(network):
        assert pairs.side_by_side and torch.get_num_threads() == 1
        first, second = pairs.map(network, x1, x2)
        pairs.backward(losses, [first[1]], [second[1]])
    assert torch.get_num_threads() == 2
    for a, b in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-9, atol=1e-12)


def test_an_error_in_either_half_comes_out(two_threads):
    with Pairs(torch.device("cpu")) as pairs:
        for bad in (0, 1):
            with pytest.raises(ZeroDivisionError):
                pairs.map(lambda x: 1 / x, *(1 - bad, bad))


def test_the_gradient_mode_is_the_callers(two_threads):
    weight = torch.ones(2, requires_grad=True)
    with Pairs(torch.device("cpu")) as pairs, torch.no_grad():
        assert not any(y.requires_grad for y in pairs.map(lambda x: weight * x, 1, 2))


def test_batch_statistics_leave_the_running_ones_alone():
    norm = torch.nn.BatchNorm1d(3)
    with batch_statistics(norm):
        norm(torch.randn(5, 3) + 4)
    assert torch.equal(norm.running_mean, torch.zeros(3)) and norm.num_batches_tracked == 0
    norm(torch.randn(5, 3) + 4)
    assert norm.num_batches_tracked == 1
