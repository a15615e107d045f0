"""Multiply-adds against networks that run and are watched, against brute force, and against the paper's size."""

import dataclasses
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from torch import nn

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.nets.macs import part_macs
from sdr.nets.paths import path_of, tree_macs
from sdr.report.cost import Cost
from sdr.report.plot_cost import draw_cost
from sdr.report.style import LIGHT
from sdr.route.segments import Segments
from sdr.ssl.method import build
from sdr.train.cost import cost_of
from sdr.train.jobs import Sdr
from sdr.train.schedule import Schedule
from tests.route.toys import make_trained

SPEC = Backbone(
    block="basic",
    layers=[1, 2, 1, 1],
    shared=[8, 8, 8, 8],
    group=[4, 4, 4, 8],
    groups=2,
    stem_type="deep",
    stem_width=5,
)
PAPER = Backbone(
    block="bottleneck",
    layers=[3, 4, 6, 3],
    shared=[52, 104, 224, 376],
    group=[12, 24, 56, 88],
    groups=4,
    stem_type="",
    stem_width=64,
)
HEADS = Heads(projection=16, hidden=24, layers=2, output_norm=True, prediction=8)
PARAMS = YAML(typ="safe").load((Path(__file__).parents[2] / "params.yaml").read_text())["sdr"]


def count(method="simsiam", **changes):
    given = {
        "first_phase": 0.2,
        "w0_share": 0.4,
        "teacher": "supernet",
        "distill": "siamkd",
        "distill_views": 1,
        "train_teacher": False,
    }
    return cost_of(method, SPEC, HEADS, Sdr(**PARAMS | given | changes), 32)


def run_cost(n_subnets: int) -> Cost:
    """As the report reads it."""
    sdrnet = {"macs": dataclasses.asdict(count()), "groups": SPEC.groups}
    return Cost.read(sdrnet, {"macs": part_macs(SPEC, 40)}, n_subnets)


@pytest.fixture(scope="module")
def found():
    return run_cost(4)


def watched(network, run, size):
    """Multiply-adds of convolutions and linear layers while `run` sees one image: outputs × inputs of each."""
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        per_output = layer.weight.numel() // layer.weight.shape[0]
        total += per_output * output.numel()

    hooks = [m.register_forward_hook(add) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        run(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("method", ["simsiam", "byol", "simclr"])
def test_training_is_three_forward_passes_of_what_learns_and_one_of_what_does_not(method):
    found = count(method)
    small, large = (build(method, SPEC, w, HEADS).eval() for w in (SPEC.subnet_widths, SPEC.supernet_widths))
    target = [watched(n, n.target, 32) for n in (small, large)]
    learning = [
        t + watched(n.predictor, lambda x, n=n: n.predictor(torch.zeros(1, 16)), 1)
        for n, t in zip((small, large), target)
    ]
    byol = method == "byol"  # its target runs beside the network that learns
    assert found.baseline == 2 * (3 * learning[0] + byol * target[0])
    assert found.w0 == 2 * (3 * learning[1] + byol * target[1])
    assert found.subnet == found.baseline + target[1]


def test_the_teacher_costs_a_forward_pass_a_view(found):
    none, two = count(distill="none"), count(distill_views=2)
    assert none.subnet == none.baseline == found.baseline
    assert two.subnet - found.subnet == found.subnet - none.subnet > 0


@pytest.mark.parametrize("distill", ["none", "siamkd"])
def test_a_teacher_that_is_trained_too_costs_its_own_step_and_no_more(found, distill):
    both = count(distill=distill, train_teacher=True)
    assert (both.subnet, both.w0) == (found.baseline + found.w0, found.w0)


def test_parts_are_those_that_routing_counts(tmp_path):
    trained = make_trained(tmp_path, 2, "common")
    assert part_macs(trained.spec, 40) == Segments(trained).macs(torch.zeros(1, 3, 40, 40))


def test_parts_add_up_to_the_backbone():
    backbone = build("simsiam", SPEC, SPEC.subnet_widths, HEADS).backbone.eval()
    assert sum(part_macs(SPEC, 40)) == watched(backbone, backbone, 40)


def test_the_size_of_the_paper():
    """The counts of benchmarks/routing_cost.py, which runs real images."""
    parts = part_macs(PAPER, 224)
    assert 256 * sum(parts) == 1_086_412_357_632
    assert tree_macs(parts, 4, 256) == 309_078_540_288


@given(st.integers(1, 4), st.data())
def test_a_tree_runs_each_prefix_once(groups, data):
    n = data.draw(st.integers(1, groups**4))
    paths = [path_of(i, groups) for i in range(n)]
    parts = [100_000, 10_000, 1_000, 100, 10]
    assert tree_macs(parts, groups, n) == sum(
        macs * len({path[:length] for path in paths}) for length, macs in enumerate(parts)
    )


def test_the_numbers_of_subnets_are_powers_and_that_of_this_run(found):
    assert [row.n for row in found.routing] == [1, 2, 4, 8, 16]
    odd = run_cost(5).routing
    assert [row.n for row in odd] == [1, 2, 4, 5, 8, 16]
    for row in odd:
        assert row.exhaustive == row.n * odd[0].exhaustive and row.tree <= row.exhaustive


@pytest.mark.parametrize("n", [2, 4, 7, 16])
@pytest.mark.parametrize("progressive", [True, False])
def test_the_share_of_w0_is_that_of_the_schedule_whatever_the_phases(found, n, progressive):
    schedule = Schedule(2000, n, 2, first_phase=0.2, phase_growth=1.5, w0_share=0.4, progressive=progressive, seed=0)
    chances = [1.0 if schedule.spaces[schedule.phase(step)] == 0 else 0.4 for step in range(2000)]
    share = sum(chances) / 2000
    assert found.w0_share == pytest.approx(share, abs=1e-3)
    assert found.training(n) == pytest.approx(share * found.w0 + (1 - share) * found.subnet, rel=1e-3)


def test_one_subnet_trains_as_the_baseline(found):
    assert found.training(1) == found.baseline


def test_the_figure_marks_this_run(found):
    above, below = draw_cost(found, LIGHT).axes
    marked, exhaustive, tree = above.lines
    assert set(marked.get_xdata()) == {4}
    assert list(exhaustive.get_xdata()) == [1, 2, 4, 8, 16]
    assert all(tree.get_ydata() <= exhaustive.get_ydata())
    widths = [bar.get_width() * found.baseline for bar in below.patches]
    assert widths == pytest.approx([found.baseline, found.w0, found.subnet, found.mean])
