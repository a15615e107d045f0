"""The super-net's promises: a sub-net is exactly a slice of W_0, and training it touches nothing else."""

import copy
import random
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.calibrate import calibrate
from sdr.nets.heads import Heads
from sdr.nets.paths import N_STAGES
from sdr.nets.supernet import Axis, SubNets, blocks, fill, of_their_own, split_axes
from sdr.ssl.byol import Byol
from sdr.ssl.simsiam import SimSiam

HEADS = Heads(projection=12, hidden=12, layers=2, output_norm=True, prediction=4)


def make_spec(**changes) -> Backbone:
    fields = dict(
        block="basic",
        layers=[1, 2, 1, 1],
        shared=[4, 5, 6, 8],
        group=[2, 1, 3, 2],
        groups=3,
        stem_type="deep",
        stem_width=7,
    )
    return Backbone(**(fields | changes))


@st.composite
def specs(draw) -> Backbone:
    def four(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=N_STAGES, max_size=N_STAGES))

    return Backbone(
        block=draw(st.sampled_from(["basic", "bottleneck"])),
        layers=four(1, 2),
        shared=four(2, 5),
        group=four(1, 4),
        groups=draw(st.integers(1, 4)),
        stem_type=draw(st.sampled_from(["deep", "deep_tiered"])),
        stem_width=53,  # no first stage drawn here has 106 channels
    )


def make(spec: Backbone, momentum: bool = True) -> tuple[SimSiam, SimSiam, SubNets, list[torch.optim.SGD]]:
    supernet = SimSiam(spec, spec.supernet_widths, HEADS)
    template = SimSiam(spec, spec.subnet_widths, HEADS)
    optimizers = [torch.optim.SGD(n.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1) for n in (supernet, template)]
    for network, optimizer in zip((supernet, template), optimizers):
        for p in network.parameters():
            optimizer.state[p]["momentum_buffer"] = torch.randn_like(p)
    return supernet, template, SubNets(supernet, template, spec, tuple(optimizers)), optimizers


def snapshot(network: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [t.clone() for p in network.parameters() for t in (p, optimizer.state[p]["momentum_buffer"])]


def inside(spec: Backbone, supernet: SimSiam, template: SimSiam, path: tuple[int, ...]) -> list[torch.Tensor]:
    """For each parameter and its momentum: which elements of W_0 belong to W_path, by marking them."""
    axes, masks = split_axes(template, spec), []
    for (name, whole), part in zip(supernet.named_parameters(), template.parameters()):
        mask = torch.zeros(whole.shape, dtype=torch.bool)
        for a, _ in blocks(mask, torch.empty(part.shape), axes.get(name, (None,) * whole.ndim), path):
            a.fill_(True)
        masks += [mask, mask]
    return masks


def paths(spec: Backbone) -> st.SearchStrategy:
    return st.tuples(*[st.integers(0, spec.groups - 1)] * N_STAGES)


def test_parameter_counts_are_the_papers():
    """56.3M and 22.6M at ResNet-50 size (section 5.3), within 1 %."""
    spec = Backbone(
        block="bottleneck",
        layers=[3, 4, 6, 3],
        shared=[52, 104, 224, 376],
        group=[12, 24, 56, 88],
        groups=4,
        stem_type="",
        stem_width=64,
    )
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in resnet(spec, w).parameters()) for w in (spec.supernet_widths, spec.subnet_widths)
        ]
    assert sizes[0] == pytest.approx(56.3e6, rel=0.01)
    assert sizes[1] == pytest.approx(22.6e6, rel=0.01)
    assert spec.n_paths == 256
    for shared, total in zip(spec.shared, spec.supernet_widths):
        assert shared / total == pytest.approx(0.5, abs=0.021)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 5))
def test_every_channel_is_shared_or_in_one_group(shared, group, groups):
    owners = torch.zeros(shared + groups * group, dtype=torch.int)
    for g in range(groups):
        (start, at, length), own = Axis(0, shared, group).pieces((g,))
        assert (start, at, length) == (0, 0, shared)
        assert own[1:] == (shared, group)
        owners[own[0] : own[0] + own[2]] += 1
    assert (owners[:shared] == 0).all() and (owners[shared:] == 1).all()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_union_over_paths_leaves_out_only_links_between_groups_of_one_stage(data):
    """Every element of W_0 is in some W_i, except those that link two different groups inside one stage."""
    spec = data.draw(specs())
    supernet, template, _, _ = make(spec)
    axes = split_axes(template, spec)
    covered = [torch.zeros_like(p, dtype=torch.bool) for p in supernet.parameters()]
    for last in range(spec.groups):
        for first in range(spec.groups):  # neighbouring stages see all pairs of groups
            path = tuple(first if stage % 2 else last for stage in range(N_STAGES))
            for seen, mask in zip(covered, inside(spec, supernet, template, path)[::2]):
                seen |= mask
    for (name, p), seen in zip(supernet.named_parameters(), covered):
        split = axes.get(name, (None,) * p.ndim)
        if len(split) == 4 and split[0] and split[1] and split[0].stage == split[1].stage:
            out, into = split[0], split[1]
            expected = 0
            rows, cols = p.shape[0] - out.shared, p.shape[1] - into.shared
            expected = rows * cols - spec.groups * out.group * into.group
            assert (~seen).sum() == expected * p.shape[2] * p.shape[3]
        else:
            assert seen.all(), name


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_check_out_then_check_in_is_the_identity(data):
    spec = data.draw(specs())
    supernet, _, subnets, optimizers = make(spec)
    before = snapshot(supernet, optimizers[0])
    path = data.draw(paths(spec))
    subnets.check_out(path)
    subnets.check_in(path)
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot(supernet, optimizers[0])))


def channels(axis: Axis | None, n: int, path: tuple[int, ...]) -> torch.Tensor:
    """Numbers of the channels in W_0 that a sub-net of `n` takes: an oracle by index."""
    if axis is None:
        return torch.arange(n)
    start = axis.shared + path[axis.stage] * axis.group
    return torch.cat([torch.arange(axis.shared), torch.arange(start, start + axis.group)])


def agree(supernet: SimSiam, template: SimSiam, axes: dict, path: tuple[int, ...]) -> bool:
    """Whether the template's parameters are the slices of `path`."""
    same = []
    for (name, whole), part in zip(supernet.named_parameters(), template.parameters()):
        split = axes.get(name, (None,) * whole.ndim)
        place = torch.meshgrid(*(channels(axis, n, path) for axis, n in zip(split, part.shape)), indexing="ij")
        same.append(torch.equal(part, whole[place].float()))
    return all(same)


def test_many_paths_in_turn_have_each_its_own_slices():
    """What is kept of one path is not taken for another, nor for the same path of a network that has moved."""
    spec = make_spec()
    supernet, template, subnets, _ = make(spec)
    axes = split_axes(template, spec)
    every = list(product(range(spec.groups), repeat=N_STAGES))
    for turn, path in enumerate(random.Random(0).sample(every * 2, 60)):
        if turn == 30:
            supernet.double()
        subnets.check_out(path)
        assert agree(supernet, template, axes, path)
        with torch.no_grad():
            for part in template.parameters():
                part.add_(1)
        subnets.check_in(path)
        assert agree(supernet, template, axes, path)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_a_step_on_a_path_changes_that_path_alone(data):
    spec = data.draw(specs())
    supernet, template, subnets, optimizers = make(spec)
    path = data.draw(paths(spec))
    before = snapshot(supernet, optimizers[0])
    subnets.check_out(path)
    (_, p1, t1), (_, p2, t2) = template(torch.randn(4, 3, 32, 32)), template(torch.randn(4, 3, 32, 32))
    template.loss(p1, p2, t1, t2).backward()
    optimizers[1].step()
    subnets.check_in(path)
    after = snapshot(supernet, optimizers[0])
    for old, new, mask in zip(before, after, inside(spec, supernet, template, path)):
        assert torch.equal(old[~mask], new[~mask])
    moved = sum(int((old != new).sum()) for old, new in zip(before[1::2], after[1::2]))
    total = sum(int(m.sum()) for m in inside(spec, supernet, template, path)[::2])
    assert moved > 0.9 * total  # and momentum did move inside


def restricted(supernet: SimSiam, template: SimSiam, spec: Backbone, path: tuple[int, ...]) -> SimSiam:
    """W_0 computed on the channels of `path` alone: its other channels are held at zero throughout.

    A dead channel has no incoming weight and no affine term, so that it is zero after its batch norm; then what
    goes out of it does not matter. An oracle without slicing: the full-width network, masked.
    """
    masked = copy.deepcopy(supernet)
    for p, mask in zip(masked.parameters(), inside(spec, supernet, template, path)[::2]):
        p.data *= mask
    return masked


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_a_sub_net_computes_what_the_restricted_supernet_computes(data):
    spec = data.draw(specs())
    supernet, template, subnets, _ = (x.double() if isinstance(x, nn.Module) else x for x in make(spec))
    subnets = SubNets(supernet, template, spec)
    for network in (supernet, template):  # zero-initialised scales would hide the last layers
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    path = data.draw(paths(spec))
    masked = restricted(supernet, template, spec, path)
    subnets.check_out(path)
    x1, x2 = torch.randn(2, 5, 3, 32, 32, dtype=torch.float64)
    losses = []
    for network in (masked, template):
        (z1, p1, t1), (_, p2, t2) = network(x1), network(x2)
        losses.append(network.loss(p1, p2, t1, t2))
        losses[-1].backward()
        if network is masked:
            expected = z1.detach(), p1.detach()
        else:
            torch.testing.assert_close((z1.detach(), p1.detach()), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-9, atol=1e-9)
    axes = split_axes(template, spec)
    for (name, whole), part in zip(masked.named_parameters(), template.parameters()):
        split = axes.get(name, (None,) * whole.ndim)
        for a, b in blocks(whole.grad, part.grad, split, path):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_the_projectors_input_is_sliced():
    spec = make_spec()
    supernet, template, subnets, _ = make(spec)
    subnets.check_out((0, 0, 0, 2))
    whole, part = supernet.projector[0].weight, template.projector[0].weight
    assert torch.equal(part, torch.cat([whole[:, :8], whole[:, 8 + 2 * 2 : 8 + 3 * 2]], dim=1))


def test_byols_followers_are_sliced_as_what_they_follow():
    """A follower with momentum 0 becomes what it follows: on the path, after a check-in, it agrees; elsewhere it stayed."""
    spec = make_spec()
    supernet, template = (Byol(spec, widths, HEADS) for widths in (spec.supernet_widths, spec.subnet_widths))
    followed = {name: p for name, p in supernet.named_parameters() if not name.startswith(("followers", "predictor"))}
    followers = dict(supernet.followers.named_parameters())
    before = {name: p.detach().clone() for name, p in followers.items()}
    with torch.no_grad():
        for p in followed.values():
            p.add_(1.0)
    subnets, path = SubNets(supernet, template, spec), (2, 0, 1, 2)
    subnets.check_out(path)
    template.follow(0.0)
    subnets.check_in(path)
    axes = split_axes(template, spec)
    for (name, p), part in zip(followed.items(), [*template.backbone.parameters(), *template.projector.parameters()]):
        mask = torch.zeros(p.shape, dtype=torch.bool)
        for a, _ in blocks(mask, torch.empty(part.shape), axes.get(name, (None,) * p.ndim), path):
            a.fill_(True)
        assert torch.equal(followers[name][mask], p[mask]) and torch.equal(followers[name][~mask], before[name][~mask])
    assert any(
        name.endswith("conv1.weight") and axes[f"followers.{name}"] == axes[name] for name in followed if name in axes
    )


@pytest.mark.parametrize("stem", [6, 10])
def test_a_stem_as_wide_as_the_first_stage_is_refused(stem):
    widths = dict(shared=[8, 5, 6, 8], group=[4, 1, 3, 2], groups=3)  # first stage: 12 in a sub-net, 20 in W_0
    with pytest.raises(ValueError, match="stem"):
        make_spec(stem_width=stem, **widths)


def test_single_is_its_only_sub_net():
    single = make_spec().single()
    assert single.supernet_widths == single.subnet_widths == make_spec().subnet_widths
    assert single.n_paths == 1


@settings(max_examples=12, deadline=None)
@given(specs(), st.integers(0, 2**31), st.data())
def test_filled_from_a_sub_net_every_path_is_that_sub_net(spec, seed, data):
    """The backbone's features, calibrated on the same images, and all that the heads make of a view, bit for bit."""
    torch.manual_seed(seed)
    cls = data.draw(st.sampled_from([SimSiam, Byol]))
    single = spec.single()
    source = cls(single, single.supernet_widths, HEADS)
    for parameter in source.parameters():  # batch norms' affine too; timm starts blocks as the identity
        torch.nn.init.normal_(parameter, 0.3, 0.5)
    supernet, template = cls(spec, spec.supernet_widths, HEADS), cls(spec, spec.subnet_widths, HEADS)
    fill(supernet, source, spec)
    subnets, x = SubNets(supernet, template, spec), torch.randn(2, 3, 32, 32)
    expected = [y.clone() for y in source.train()(x)]
    calibrate(source.backbone, x)
    expected.append(source.backbone(x))
    for path in data.draw(st.lists(paths(spec), min_size=1, max_size=4, unique=True)):
        found = [*subnets.check_out(path).train()(x)]
        calibrate(template.backbone, x)
        for a, b in zip(expected, [*found, template.backbone(x)], strict=True):
            assert torch.equal(a, b)


def test_filling_reaches_every_weight():
    """All of W_0's weights come from the sub-net, those that only W_0 has (g_j → g_k within a stage) too."""
    spec = make_spec()
    source, supernet = (SimSiam(spec, w, HEADS) for w in (spec.subnet_widths, spec.supernet_widths))
    for whole in supernet.parameters():
        torch.nn.init.constant_(whole, torch.nan)
    fill(supernet, source, spec)
    assert not any(torch.isnan(whole).any() for whole in supernet.parameters())


def test_all_256_paths_start_as_the_baseline():
    spec = make_spec(groups=4, layers=[1, 1, 1, 1])
    single = spec.single()
    source = SimSiam(single, single.supernet_widths, HEADS).eval()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter, 0.3, 0.5)
    supernet, template = SimSiam(spec, spec.supernet_widths, HEADS), SimSiam(spec, spec.subnet_widths, HEADS).eval()
    fill(supernet, source, spec)
    subnets, x = SubNets(supernet, template, spec), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = source.backbone(x)
        for path in product(range(4), repeat=N_STAGES):
            assert torch.equal(subnets.check_out(path).backbone(x), expected)


def test_norms_of_their_own_touch_nobody_elses():
    """A sub-net starts with W_0's; once it is checked in its scale, shift and their momentum are its alone."""
    spec = make_spec()
    supernet, template = (SimSiam(spec, w, HEADS) for w in (spec.supernet_widths, spec.subnet_widths))
    supernet.own = of_their_own(template, spec.n_paths, "affine")
    optimizers = [torch.optim.SGD(n.parameters(), lr=0.1, momentum=0.9) for n in (supernet, template)]
    for network, optimizer in zip((supernet, template), optimizers):
        for p in network.parameters():
            optimizer.state[p]["momentum_buffer"] = torch.randn_like(p)
    subnets = SubNets(supernet, template, spec, tuple(optimizers))
    norm, buffer = template.backbone.bn1.weight, lambda: optimizers[1].state[norm]["momentum_buffer"]
    of_w0 = supernet.backbone.bn1.weight
    subnets.check_out((0, 0, 0, 0))
    assert torch.equal(norm, of_w0)
    before, momentum = of_w0.clone(), optimizers[0].state[of_w0]["momentum_buffer"].clone()
    for path, value in (((0, 0, 0, 0), 2.0), ((0, 0, 0, 1), 3.0)):
        subnets.check_out(path)
        with torch.no_grad():
            norm.fill_(value), buffer().fill_(-value)
            template.backbone.conv1[0].weight.fill_(value)  # shared by all, as before
        subnets.check_in(path)
    assert torch.equal(of_w0, before) and torch.equal(optimizers[0].state[of_w0]["momentum_buffer"], momentum)
    subnets.check_out((0, 0, 0, 0))
    assert (norm == 2).all() and (buffer() == -2).all() and (template.backbone.conv1[0].weight == 3).all()
    subnets.check_out((0, 0, 0, 1))
    assert (norm == 3).all() and (buffer() == -3).all()
    subnets.check_out((2, 1, 0, 2))
    assert torch.equal(norm, before) and torch.equal(buffer(), momentum)
    assert supernet.own["started"].nonzero().flatten().tolist() == [0, 1]
    assert not any(name.startswith("projector") for name in supernet.own)
