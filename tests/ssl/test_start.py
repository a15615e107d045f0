"""Weights to start from: they come back, and what is missing is drawn as a training from nothing would draw it."""

import pytest
import torch

from sdr.base.errors import UserError
from sdr.base.randomness import derive
from sdr.nets.heads import Heads
from sdr.ssl.method import build
from sdr.ssl.start import load_start, save_start
from tests.train.toys import HEADS, SPEC

ALONE = SPEC.single()


def network(method="simsiam", seed=3, heads: Heads = HEADS):
    torch.manual_seed(seed)
    return build(method, ALONE, ALONE.supernet_widths, heads)


def equal(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize("method", ["simsiam", "byol", "simclr"])
def test_with_its_head(tmp_path, method):
    theirs = network(method)
    save_start(tmp_path, theirs.backbone, (theirs, HEADS), {})
    start = load_start(tmp_path, method, ALONE, HEADS, 0)
    assert not start.new_head
    for part in ("backbone", "projector", "predictor"):
        assert equal(start.network.get_submodule(part), theirs.get_submodule(part))
    if method == "byol":
        assert equal(start.network.followers["backbone"], theirs.backbone)


@pytest.mark.parametrize("change", ["none", "method", "heads"])
def test_a_head_that_does_not_fit_is_drawn(tmp_path, change):
    theirs = network("byol" if change == "method" else "simsiam")
    heads = HEADS.model_copy(update={"hidden": 24}) if change == "heads" else HEADS
    save_start(tmp_path, theirs.backbone, None if change == "none" else (theirs, HEADS), {})
    state = torch.get_rng_state()
    start = load_start(tmp_path, "simsiam", ALONE, heads, 7)
    assert torch.equal(torch.get_rng_state(), state)
    assert start.new_head and equal(start.network.backbone, theirs.backbone)
    assert equal(start.network.projector, network(seed=derive(7, "weights"), heads=heads).projector)


def test_another_backbone_and_none(tmp_path):
    with pytest.raises(UserError, match="no network to start from.*dvc repro start"):
        load_start(tmp_path, "simsiam", ALONE, HEADS, 0)
    save_start(tmp_path, network().backbone, None, {})
    wider = SPEC.single("supernet")
    with pytest.raises(UserError, match="another network than `backbone` of params.yaml"):
        load_start(tmp_path, "simsiam", wider, HEADS, 0)
