"""What is said of timm's blocks without timm, which takes a while to import."""

import pytest
from timm.models.resnet import BasicBlock, Bottleneck

from sdr.nets.backbone import EXPANSION, Backbone, resnet


@pytest.mark.parametrize(("name", "block"), [("basic", BasicBlock), ("bottleneck", Bottleneck)])
def test_blocks_are_timms(name, block):
    assert EXPANSION[name] == block.expansion
    spec = Backbone(block=name, layers=[1] * 4, shared=[8] * 4, group=[4] * 4, groups=2, stem_type="deep", stem_width=4)
    network = resnet(spec, spec.subnet_widths)
    assert type(network.layer1[0]) is block and network.num_features == 12 * block.expansion
