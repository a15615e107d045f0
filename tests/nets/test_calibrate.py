"""Batch-norm statistics against one pass in float64, layer after layer."""

import copy

import numpy as np
import torch
from timm.models.resnet import BasicBlock, ResNet

from sdr.nets.calibrate import Calibration, batch_norms, calibrate, sample, set_statistics, statistics


def net() -> ResNet:
    torch.manual_seed(0)
    network = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0, channels=(6, 8, 8, 10), stem_type="deep", stem_width=4)
    for layer in batch_norms(network):
        torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return network


def test_true_mean_and_variance_of_the_whole_sample():
    network, x = net(), torch.randn(37, 3, 32, 32)
    calibrate(network, x)
    assert not any(layer.training for layer in network.modules())
    wide, seen = copy.deepcopy(network).double().eval(), {}
    for name, layer in wide.named_modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.register_forward_pre_hook(lambda m, args, name=name: seen.update({name: args[0]}))
    wide(x.double())  # normalises by the calibrated statistics: each layer's input is the sample's, normalised so far
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            values = seen[name].transpose(0, 1).flatten(1)
            torch.testing.assert_close(layer.running_mean.double(), values.mean(1), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(layer.running_var.double(), values.var(1, correction=0), rtol=1e-4, atol=1e-5)


def test_nothing_of_earlier_statistics_stays():
    first, second, x = net(), net(), torch.randn(20, 3, 32, 32)
    calibrate(first, 5 + torch.randn(20, 3, 32, 32))
    calibrate(first, x)
    calibrate(second, x)
    assert torch.equal(statistics(first), statistics(second))


def test_statistics_round_trip():
    network, other = net(), net()
    calibrate(network, torch.randn(20, 3, 32, 32))
    set_statistics(other, statistics(network))
    x = torch.randn(4, 3, 32, 32)
    assert torch.equal(network.eval()(x), other.eval()(x))


def test_the_sample_is_fixed_sorted_and_of_the_subset():
    params = Calibration(source="cluster", images=10)
    subset = np.arange(100, 160, 2)
    drawn = sample(subset, params.images, seed=0)
    assert len(set(drawn)) == 10 and set(drawn) <= set(subset) and (np.diff(drawn) > 0).all()
    assert np.array_equal(drawn, sample(subset, params.images, seed=0))
    assert np.array_equal(sample(subset[:7], params.images, seed=0), subset[:7])
