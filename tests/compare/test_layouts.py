"""A checkpoint in each layout becomes the network that it was made of, and no key is passed over."""

import ast
import re

import pytest
import torch

from sdr.base.errors import UserError
from sdr.compare.layouts import LAYOUTS, convert, custom
from tests.compare.checkpoints import FABRICATED, Simclr2, linear, prefixed, small_resnet

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def loaded(state, layout):
    """Another network, with the weights that `convert` finds."""
    network = small_resnet(seed=1)
    network.load_state_dict(convert(state, layout, network, "file"))
    return network


def refusal(state, layout="moco_v2", network=None) -> str:
    with pytest.raises(UserError) as error:
        convert(state, LAYOUTS[layout], network or small_resnet(), "file.pth")
    return str(error.value)


def test_every_layout_is_fabricated_here():
    assert set(FABRICATED) == set(LAYOUTS)


@torch.no_grad()
@pytest.mark.parametrize("name", FABRICATED)
def test_features_are_those_of_the_network_that_the_checkpoint_was_made_of(name):
    network = small_resnet()
    features = network(X)
    assert not torch.equal(small_resnet(seed=1)(X), features)
    assert torch.equal(loaded(FABRICATED[name](network), LAYOUTS[name])(X), features)


@torch.no_grad()
def test_the_conversion_of_simclr_v2_computes_what_its_module_computes():
    theirs = Simclr2(small_resnet()).eval()
    ours = loaded(theirs.state_dict(), LAYOUTS["simclr_v2"])
    torch.testing.assert_close(ours(X), theirs(X), rtol=1e-5, atol=1e-5)


NEEDED = (
    "conv1.weight",
    "bn1.running_mean",
    "layer1.0.conv2.weight",
    "layer2.1.bn3.running_var",
    "layer3.0.bn1.bias",
    "layer4.0.downsample.0.weight",
    "layer4.0.downsample.1.weight",
)


@pytest.mark.parametrize("name", FABRICATED)
def test_a_missing_key_is_an_error(name):
    """But for the counters of batches, which old files lack and no evaluation reads."""
    network = small_resnet()
    state = FABRICATED[name](network)
    without_counters = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(without_counters) < len(state)
    convert(without_counters, LAYOUTS[name], network, "file")
    # A tensor of the state dict is the network's own: that tells which key holds which.
    own = network.state_dict()
    for needed in NEEDED:
        left = {key: value for key, value in state.items() if value.data_ptr() != own[needed].data_ptr()}
        assert len(left) == len(state) - 1
        assert f"1 missing: {needed}" in refusal(left, name, network)


@pytest.mark.parametrize("name", FABRICATED)
def test_surplus_keys_are_an_error_wherever_they_are(name):
    prefix = LAYOUTS[name].prefix
    keys = [
        f"{prefix}layer1.1.conv1.weight",
        "module.encoder_j.conv1.weight",
        "optimizer",
        f"{prefix}fcc.weight",
    ]
    state = FABRICATED[name](small_resnet()) | {key: torch.zeros(1) for key in keys}
    assert refusal(state, name) == f"file.pth: 4 surplus: {', '.join(keys)}"


def test_all_that_is_wrong_is_in_one_message_with_the_first_ten_and_the_number():
    state = prefixed("module.encoder_q.", small_resnet())
    for key in [key for key in state if "layer2" in key and "tracked" not in key]:
        del state[key]
    state |= {f"module.predictor.{i}": torch.zeros(1) for i in range(11)}
    state["module.encoder_q.bn1.weight"] = torch.zeros(65)
    state["module.encoder_q.bn1.bias"] = "no tensor"
    message = refusal(state)
    missing, surplus, misshapen = message.split("; ")
    assert missing.startswith("file.pth: 35 missing: layer2.0.conv1.weight, ") and missing.count("layer2") == 10
    assert surplus.startswith("11 surplus: module.predictor.0, ") and surplus.count("module") == 10
    assert misshapen.startswith("2 misshapen: ")
    assert "bn1.weight (65,) in place of (64,)" in misshapen and "bn1.bias () in place of (64,)" in misshapen


@pytest.mark.parametrize(
    ("made", "named", "hint"),
    [
        ("moco_v2", "moco_v1", "layout moco_v2 or pcl_v2"),
        ("moco_v1", "moco_v2", "layout moco_v1 or pcl_v1"),
        ("swav", "plain", "layout sela_v2 or deepcluster_v2 or swav"),
        ("simsiam", "insdis", "layout simsiam"),
        ("infomin", "pirl", "layout infomin"),
        ("simclr_v2", "simclr_v1", "layout simclr_v2"),
        ("byol", "simsiam", "layout supervised or simclr_v1 or byol or plain"),
    ],
)
def test_a_wrong_layout_is_told_and_the_right_one_named(made, named, hint):
    message = refusal(FABRICATED[made](small_resnet()), named)
    assert " surplus: " in message and message.endswith(f"The keys are those of {hint}")


def test_a_misshapen_network_is_no_matter_of_the_layout():
    state = prefixed("", small_resnet()) | {"layer1.0.conv1.weight": torch.zeros(8, 64, 3, 3)}
    message = refusal(state, "plain")
    assert "1 misshapen: layer1.0.conv1.weight (8, 64, 3, 3) in place of (8, 64, 1, 1)" in message
    assert "layout" not in message


def test_a_wider_network_is_refused_by_its_width():
    state = small_resnet().state_dict()
    twice = {name: value.repeat_interleave(2, 0) if value.ndim else value for name, value in state.items()}
    assert refusal(prefixed("module.encoder_q.", twice)) == (
        "file.pth: the network is 2 times as wide as this ResNet; take the checkpoint of width 1"
    )


def test_a_deeper_network_is_refused_by_its_surplus_keys():
    deeper = {**small_resnet().state_dict(), "layer3.1.conv1.weight": torch.zeros(8, 32, 1, 1)}
    assert "1 surplus: layer3.1.conv1.weight" in refusal(deeper, "plain")


@torch.no_grad()
def test_anybodys_own_names():
    """As solo-learn and lightly have it: a prefix, and heads of any name."""
    network = small_resnet()
    state = prefixed("backbone.", network) | linear("backbone.fc") | linear("projector.0") | linear("momentum.a.b")
    layout = custom("backbone.", ["projector.*", "momentum.*.bias", "momentum.a.b.weight"])
    assert torch.equal(loaded(state, layout)(X), network(X))
    with pytest.raises(UserError, match="2 surplus: momentum.a.b.weight, momentum.a.b.bias"):
        convert(state, custom("backbone.", ["projector.*", "momentum"]), network, "file")
    with pytest.raises(UserError, match="2 surplus: projectorX.weight, projectorX.bias"):
        convert(state | linear("projectorX"), layout, network, "file")


def test_simclr_was_trained_without_normalisation():
    assert {name for name, layout in LAYOUTS.items() if layout.normalise == "none"} == {
        "simclr_v1",
        "simclr_v2",
    }


@torch.no_grad()
@pytest.mark.parametrize("name", FABRICATED)
@pytest.mark.parametrize("wrapped", ["_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.", ""])
def test_compiled_or_parallel_or_neither_is_the_same_network(name, wrapped):
    """Torch's wrappers put a name before all others; what is published with `module.` is also saved without it."""
    network = small_resnet()
    state = {wrapped + key.removeprefix("module."): value for key, value in FABRICATED[name](network).items()}
    assert torch.equal(loaded(state, LAYOUTS[name])(X), network(X))


def test_two_networks_under_one_name_are_not_mixed():
    state = prefixed("", small_resnet()) | prefixed("_orig_mod.", small_resnet(1))
    assert "two networks in one: " in refusal(state, "plain")


@torch.no_grad()
def test_the_children_of_a_resnet_by_number():
    network = small_resnet()
    children = torch.nn.Sequential(network.conv1, network.bn1, network.act1, network.maxpool)
    children.extend([network.layer1, network.layer2, network.layer3, network.layer4, torch.nn.Flatten()])
    state = prefixed("backbone.", children)
    assert torch.equal(loaded(state, custom("backbone.", []))(X), network(X))
    assert "layout lightly" in refusal(state, "plain")


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["encoder.", "module.net.backbone.", "student."])
def test_the_message_says_what_to_write_and_that_is_right(prefix):
    network = small_resnet()
    state = prefixed(prefix, network) | linear("predictor.0") | linear(f"{prefix}proj.1") | {"step": torch.zeros(1)}
    how = re.search(r'layout plain, prefix "(.*?)", drop (\[.*?\])', refusal(state, "simclr_v2"))
    assert how[1] == prefix
    assert torch.equal(loaded(state, custom(how[1], ast.literal_eval(how[2])))(X), network(X))


def test_of_two_prefixes_both_are_named():
    state = prefixed("student.", small_resnet()) | prefixed("teacher.", small_resnet())
    assert "networks begin with student., teacher." in refusal(state, "plain")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.to_sparse(), "sparse"),
        (lambda w: w.to("meta"), "meta"),
        (lambda w: w.to(torch.int8), "quantised, or no weight: int8"),
        (lambda w: w.to(torch.float8_e4m3fn), "quantised, or no weight: float8"),
        (lambda w: w.to(torch.complex64), "no weight: complex64"),
        (lambda w: w > 0, "no weight: bool"),
        (lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), "quantised"),
        (lambda w: torch.full_like(w, torch.nan), "not finite"),
        (lambda w: torch.full_like(w, torch.inf), "not finite"),
    ],
)
@pytest.mark.parametrize("name", ["conv1.weight", "layer1.0.bn1.running_var"])
def test_only_plain_floating_point_tensors_are_weights(change, said, name):
    state = small_resnet().state_dict()
    assert f"{name} is " in (message := refusal(state | {name: change(state[name])}, "plain")) and said in message


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_weights(dtype):
    network = small_resnet()
    state = {key: value.to(dtype) if value.ndim else value for key, value in network.state_dict().items()}
    loaded(state, LAYOUTS["plain"])
