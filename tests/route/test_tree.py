"""Shared prefixes: the same features as one sub-net at a time, for fewer multiply-adds."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sdr.base.errors import UserError
from sdr.nets.embed import embed
from sdr.route.segments import Segments
from sdr.route.tree import Embedder
from tests.route.toys import CPU, SHOW, make_trained, pictures

IMAGES = pictures(20, 5)
ROWS = np.array([3, 0, 19, 7, 8, 8, 12, 1, 2])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return {source: make_trained(tmp_path_factory.mktemp(source), 16, source) for source in ("common", "cluster")}


def singly(trained, number):
    return embed(trained.subnet(number), IMAGES[ROWS], SHOW, CPU)


@pytest.mark.parametrize("source, share", [("common", True), ("common", False), ("cluster", False)])
@pytest.mark.parametrize("numbers", [range(16), [0], [5, 2, 13, 12], [15, 7]])
def test_features_are_those_of_each_sub_net_alone(trained, source, share, numbers):
    embedder = Embedder(trained[source], IMAGES, SHOW, CPU, share)
    found = dict(embedder(numbers, ROWS))
    assert list(found) == sorted(numbers)
    for number in numbers:
        np.testing.assert_allclose(found[number], singly(trained[source], number), rtol=1e-4, atol=1e-4)
    assert embedder.cost["forwards"] == len(ROWS) * len(found)


def test_sub_nets_differ(trained):
    found = dict(Embedder(trained["common"], IMAGES, SHOW, CPU, True)(range(16), ROWS))
    assert all(np.abs(found[a] - found[b]).max() > 1e-3 for a in range(16) for b in range(a))


def test_little_memory_changes_the_cost_alone(trained):
    whole = Embedder(trained["common"], IMAGES, SHOW, CPU, True)
    tight = Embedder(trained["common"], IMAGES, SHOW, CPU, True, memory=len(ROWS) * 16 * 4 * 5)  # features of 5
    a, b = dict(whole(range(16), ROWS)), dict(tight(range(16), ROWS))
    assert list(a) == list(b)
    for i in a:
        np.testing.assert_allclose(a[i], b[i], rtol=1e-4, atol=1e-4)
    parts, n = Segments(trained["common"]).macs(torch.zeros(1, 3, 16, 16)), len(ROWS)
    assert whole.cost["macs"] == n * int(np.dot(parts, [1, 2, 4, 8, 16]))
    assert tight.cost["macs"] == n * int(np.dot(parts, [4, 4, 4, 8, 16]))  # four walks, of four sub-nets each


def test_multiply_adds_are_those_of_the_whole_network(trained):
    with FlopCounterMode(display=False) as counter:
        trained["common"].subnet(0)(torch.zeros(1, 3, 16, 16))
    assert sum(Segments(trained["common"]).macs(torch.zeros(1, 3, 16, 16))) == counter.get_total_flops() // 2
    alone = Embedder(trained["cluster"], IMAGES, SHOW, CPU, False)
    list(alone([4, 9], ROWS))
    assert alone.cost["macs"] == 2 * len(ROWS) * alone.full == len(ROWS) * counter.get_total_flops()


def test_statistics_of_each_sub_nets_own_cannot_be_shared(trained):
    with pytest.raises(UserError, match="calibrate.source: common"):
        Embedder(trained["cluster"], IMAGES, SHOW, CPU, True)
