"""Pruned networks against wide ones with masked channels, and against NumPy's order of the weights."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from sdr.base.errors import UserError
from sdr.compare.prune import Pruned, prune, structured, unstructured
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.calibrate import calibrate
from sdr.ssl.folder import count
from tests.compare.checkpoints import randomise

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def spec_of(block="basic", layers=(1, 2, 1, 1), shared=(2, 3, 2, 3), group=(1, 2, 3, 2), groups=2, stem=5):
    return Backbone(
        block=block,
        layers=list(layers),
        shared=list(shared),
        group=list(group),
        groups=groups,
        stem_type="deep",
        stem_width=stem,
    )


def full(spec):
    """The baseline of the super-net's width."""
    return spec.model_copy(update={"shared": list(spec.supernet_widths), "group": [0] * 4, "groups": 1})


def wide_network(spec, seed=0):
    torch.manual_seed(seed)
    return randomise(resnet(spec, spec.supernet_widths))


def features(network, x=X):
    with torch.no_grad():
        return network(x)


def kept_channels(wide, spec):
    """Batch norm → its channels that stay, by the definition: in a stage the last convolutions of all blocks and the
    shortcut's go together, any other convolution is on its own; the set of the right size with the largest sum."""
    last = {"basic": 2, "bottleneck": 3}[spec.block]
    groups = {}
    for name, module in wide.named_modules():
        if isinstance(module, nn.Conv2d) and name.startswith("layer"):
            stage, _, role = name.split(".", 2)
            stream = role in (f"conv{last}", "downsample.0")
            norm = name.replace("downsample.0", "downsample.1").replace(".conv", ".bn")
            width = spec.subnet_widths[int(stage[5:]) - 1] * (spec.expansion if stream else 1)
            groups.setdefault(stage if stream else name, []).append((norm, module, width))
    found = {}
    for members in groups.values():
        total = sum(np.abs(conv.weight.detach().double().numpy()).sum((1, 2, 3)) for _, conv, _ in members)
        found |= {norm: (total, width) for norm, _, width in members}
    return {norm: sorted(np.argsort(-total, kind="stable")[:width]) for norm, (total, width) in found.items()}


def masked(wide, kept):
    """The wide network itself, whose dropped channels are 0 after every batch norm."""
    with torch.no_grad():
        for norm, channels in kept.items():
            layer = wide.get_submodule(norm)
            dropped = torch.ones(layer.num_features, dtype=torch.bool)
            dropped[channels] = False
            layer.weight[dropped] = layer.bias[dropped] = 0
    return wide


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_structured_is_the_wide_network_with_its_small_channels_masked(data):
    four = {"min_size": 4, "max_size": 4}
    spec = spec_of(
        data.draw(st.sampled_from(["basic", "bottleneck"])),
        data.draw(st.lists(st.integers(1, 3), **four)),
        data.draw(st.lists(st.integers(1, 4), **four)),
        data.draw(st.lists(st.integers(0, 3), **four)),
        data.draw(st.integers(1, 3)),
        stem=7,  # 14 channels, which no first stage drawn here has
    )
    check_masked(spec, data.draw(st.integers(0, 9)))


def test_a_first_stage_without_a_shortcut_convolution():
    spec = spec_of(shared=(10, 3, 2, 3), group=(0, 2, 3, 2), stem=5)
    assert wide_network(spec).layer1[0].downsample is None
    check_masked(spec, 0)


def check_masked(spec, seed):
    wide = wide_network(spec, seed)
    narrow, kept = structured(wide, spec), kept_channels(wide, spec)
    stream = kept[[norm for norm in kept if norm.startswith("layer4") and "downsample" in norm][0]]
    torch.testing.assert_close(features(narrow), features(masked(wide, kept))[:, stream], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("block", "cls"), [("basic", BasicBlock), ("bottleneck", Bottleneck)])
def test_structured_is_an_ordinary_resnet_of_a_subnets_widths(block, cls):
    spec = spec_of(block)
    narrow = structured(wide_network(spec), spec)
    timm = ResNet(cls, (1, 2, 1, 1), num_classes=0, channels=(3, 5, 5, 5), stem_type="deep", stem_width=5)
    timm.load_state_dict(narrow.state_dict())
    assert torch.equal(features(timm.eval()), features(narrow)) and not narrow.training


def test_the_largest_filters_stay():
    """Of all sets of channels: those whose filters have the largest L1 norm; a stream's norm is of all its writers."""
    spec = spec_of(layers=(2, 1, 1, 1), shared=(2, 2, 2, 2), group=(1, 1, 1, 1), groups=3)
    wide = wide_network(spec)
    first, second = wide.layer1
    narrow = structured(wide, spec).layer1

    def best(*convs):
        def norm(channels):
            return sum(conv.weight.detach()[list(channels)].abs().sum() for conv in convs)

        return list(max(combinations(range(5), 3), key=norm))

    stream = best(first.conv2, second.conv2, first.downsample[0])
    inner = best(second.conv1)
    assert stream != [0, 1, 2] and stream != best(first.downsample[0])  # or the test would say little
    assert torch.equal(narrow[1].conv1.weight, second.conv1.weight[inner][:, stream])
    assert torch.equal(narrow[1].conv2.weight, second.conv2.weight[stream][:, inner])
    assert torch.equal(narrow[1].bn1.running_var, second.bn1.running_var[inner])
    assert torch.equal(narrow[0].downsample[0].weight, first.downsample[0].weight[stream])


def test_of_equal_filters_the_first_stay():
    spec = spec_of()
    wide = wide_network(spec)
    with torch.no_grad():
        wide.layer1[0].conv1.weight.fill_(0.5)
    narrow = structured(wide, spec)
    assert torch.equal(narrow.layer1[0].bn1.weight, wide.layer1[0].bn1.weight[:3])


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_nothing_to_prune_changes_nothing(block):
    spec = full(spec_of(block))
    wide = wide_network(spec)
    for network in (structured(wide, spec), unstructured(wide, count(wide))):
        assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), wide.state_dict().values()))


def pruning(how):
    spec = spec_of("bottleneck")
    target = count(resnet(spec, spec.subnet_widths))
    return lambda wide: structured(wide, spec) if how == "structured" else unstructured(wide, target)


@pytest.mark.parametrize("how", ["structured", "unstructured"])
def test_it_is_a_function_of_the_weights_and_leaves_them(how):
    run, wide = pruning(how), wide_network(spec_of("bottleneck"))
    before = {name: value.clone() for name, value in wide.state_dict().items()}
    first, second = run(wide).state_dict(), run(wide.to(memory_format=torch.channels_last)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(before[name], value) for name, value in wide.state_dict().items())


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_unstructured_keeps_exactly_the_largest_weights(block):
    spec = spec_of(block)
    wide, target = wide_network(spec), count(resnet(spec, spec.subnet_widths))
    pruned = unstructured(wide, target)
    assert sum(int(p.count_nonzero()) for p in pruned.parameters()) == target < count(wide)
    convs = [name for name, value in wide.named_parameters() if value.ndim == 4]
    others = [name for name in wide.state_dict() if name not in convs]
    before, after = wide.state_dict(), pruned.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in others)
    weights, left = (np.concatenate([s[name].numpy().ravel() for name in convs]) for s in (before, after))
    n_kept = target - sum(p.numel() for p in wide.parameters() if p.ndim != 4)
    kept = np.argsort(-np.abs(weights), kind="stable")[:n_kept]
    np.testing.assert_array_equal(left, np.where(np.isin(np.arange(len(weights)), kept), weights, 0))
    again = unstructured(pruned, target)
    assert all(torch.equal(after[name], value) for name, value in again.state_dict().items())


def test_of_equal_weights_the_first_stay():
    wide = wide_network(spec_of())
    with torch.no_grad():
        for p in wide.parameters():
            if p.ndim == 4:
                p.copy_(p.sign() / 8)
    n = sum(p.numel() for p in wide.parameters() if p.ndim == 4)
    pruned = unstructured(wide, count(wide) - n // 3)
    left = torch.cat([p.flatten() for p in pruned.parameters() if p.ndim == 4])
    assert left[: n - n // 3].count_nonzero() == n - n // 3 and left[n - n // 3 :].count_nonzero() == 0


def test_dead_channels_get_statistics_and_make_no_nan():
    wide = wide_network(spec_of())
    rest = sum(p.numel() for p in wide.parameters() if p.ndim != 4)
    pruned = unstructured(wide, rest + 40)
    calibrate(pruned, X)
    variances = torch.cat([m.running_var for m in pruned.modules() if isinstance(m, nn.BatchNorm2d)])
    assert (variances == 0).any()
    assert features(pruned).isfinite().all() and all(v.isfinite().all() for v in pruned.state_dict().values())


def test_a_count_that_cannot_be_reached():
    wide = wide_network(spec_of())
    rest = sum(p.numel() for p in wide.parameters() if p.ndim != 4)
    for parameters in (rest - 1, count(wide) + 1):
        with pytest.raises(UserError, match="cannot be pruned to"):
            unstructured(wide, parameters)


@pytest.mark.parametrize("how", ["structured", "unstructured"])
def test_both_reach_a_subnets_size(how):
    spec = spec_of("bottleneck")
    network, widths = prune("it", Pruned(how=how), wide_network(spec), full(spec), spec)
    assert sum(int(p.count_nonzero()) for p in network.parameters()) == count(resnet(spec, spec.subnet_widths))
    assert widths == (spec.subnet_widths if how == "structured" else spec.supernet_widths)


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (spec_of().single(), "pruned.it: the baseline has already a sub-net's size; set pretrain.width: supernet"),
        (full(spec_of(shared=(1, 3, 2, 3), groups=1)), r"pruned.it: artifacts/baseline \(widths \[2, 5, 5, 5\]\)"),
        (full(spec_of("bottleneck")), "does not contain a sub-net of `backbone`"),
        (full(spec_of(stem=6)), "run `dvc repro pretrain`"),
    ],
)
def test_a_baseline_that_cannot_be_pruned(baseline, message):
    wide = resnet(baseline, baseline.supernet_widths)
    with pytest.raises(UserError, match=message):
        prune("it", Pruned(how="structured"), wide, baseline, spec_of())
