"""Small ResNets, and checkpoints of them as other programs lay them out. The names are written out here once more,
from the programs' own modules: nothing is taken from `sdr.compare.layouts`."""

from functools import partial

import torch
from timm.models.resnet import Bottleneck, ResNet
from torch import Tensor, nn

from sdr.nets.backbone import Backbone

State = dict[str, Tensor]
SUBNET = Backbone(
    block="basic",
    layers=[1, 1, 1, 1],
    shared=[4] * 4,
    group=[2] * 4,
    groups=2,
    stem_type="deep",
    stem_width=8,
)


def small_resnet(seed: int = 0) -> ResNet:
    """A bottleneck ResNet of few channels, all of whose numbers matter."""
    torch.manual_seed(seed)
    return randomise(ResNet(Bottleneck, (1, 2, 1, 1), num_classes=0, channels=(8, 8, 8, 8), zero_init_last=False))


@torch.no_grad()
def randomise(network: nn.Module) -> nn.Module:
    """Give every batch norm other numbers than those that a new network has; evaluation mode."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.normal_(0, 0.2)
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
            layer.num_batches_tracked.fill_(7)
    return network.eval()


def linear(prefix: str) -> State:
    return {f"{prefix}.weight": torch.randn(3, 2), f"{prefix}.bias": torch.randn(3)}


def norm(prefix: str) -> State:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{name}": torch.rand(3) for name in names} | {f"{prefix}.num_batches_tracked": torch.tensor(1)}


def prefixed(prefix: str, network: nn.Module | State) -> State:
    state = network.state_dict() if isinstance(network, nn.Module) else network
    return {prefix + name: value for name, value in state.items()}


def moco(network: nn.Module, mlp: bool) -> State:
    encoders = {}
    for encoder in ("module.encoder_q.", "module.encoder_k."):
        heads = [linear(f"{encoder}fc.0"), linear(f"{encoder}fc.2")] if mlp else [linear(f"{encoder}fc")]
        encoders |= prefixed(encoder, network if encoder.endswith("q.") else small_resnet(9))
        for head in heads:
            encoders |= head
    return encoders | {
        "module.queue": torch.randn(2, 4),
        "module.queue_ptr": torch.zeros(1, dtype=torch.long),
    }


def pycontrast(network: nn.Module, mlp: bool, jigsaw: bool) -> State:
    state = prefixed("module.encoder.", network) | linear("module.head.0")
    if mlp:
        state |= linear("module.head.2")
    if jigsaw:
        first = (
            [linear("module.head_jig.fc1.0"), linear("module.head_jig.fc1.2")]
            if mlp
            else [linear("module.head_jig.fc1")]
        )
        for head in [*first, linear("module.head_jig.fc2")]:
            state |= head
    return state


def swav(network: nn.Module, prototypes: list[str]) -> State:
    state = prefixed("module.", network) | linear("module.projection_head.0") | norm("module.projection_head.1")
    state |= linear("module.projection_head.3")
    return state | {f"module.{name}.weight": torch.randn(4, 3) for name in prototypes}


def simsiam(network: nn.Module) -> State:
    state = prefixed("module.encoder.", network)
    for index in (0, 3):
        state |= {f"module.encoder.fc.{index}.weight": torch.randn(3, 3)} | norm(f"module.encoder.fc.{index + 1}")
    state |= linear("module.encoder.fc.6")
    state |= {key: value for key, value in norm("module.encoder.fc.7").items() if not key.endswith(("weight", "bias"))}
    return (
        state
        | {"module.predictor.0.weight": torch.randn(3, 3)}
        | norm("module.predictor.1")
        | linear("module.predictor.3")
    )


class Simclr2(nn.Module):
    """The module tree of the SimCLR v2 conversion (no selective kernels), of the same layers as `small_resnet`."""

    def __init__(self, network: ResNet):
        super().__init__()
        stem = nn.Sequential(network.conv1, nn.Sequential(network.bn1, nn.ReLU()), nn.MaxPool2d(3, 2, 1))
        stages = (network.layer1, network.layer2, network.layer3, network.layer4)
        self.net = nn.Sequential(stem, *map(_Blocks, stages))
        self.fc = nn.Linear(network.num_features, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).mean(dim=(2, 3))


class _Blocks(nn.Module):
    def __init__(self, stage: nn.Sequential):
        super().__init__()
        self.blocks = nn.ModuleList(map(_Block, stage))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class _Projection(nn.Module):
    def __init__(self, convolution: nn.Module, batch_norm: nn.Module):
        super().__init__()
        self.shortcut, self.bn = convolution, nn.Sequential(batch_norm, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.shortcut(x))


class _Block(nn.Module):
    def __init__(self, block: Bottleneck):
        super().__init__()
        self.projection = nn.Identity() if block.downsample is None else _Projection(*block.downsample)
        self.net = nn.Sequential(
            block.conv1,
            nn.Sequential(block.bn1, nn.ReLU()),
            block.conv2,
            nn.Sequential(block.bn2, nn.ReLU()),
            block.conv3,
            nn.Sequential(block.bn3, nn.Identity()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.projection(x) + self.net(x))


def torchvision_like(network: nn.Module) -> State:
    return prefixed("", network) | linear("fc")


def lightly(network: nn.Module) -> State:
    """Children by number, as `nn.Sequential(*list(resnet.children())[:-1])` names them; heads; momentum copies."""
    numbers = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    state: State = {}
    for backbone, values in (("backbone", network), ("backbone_momentum", small_resnet(9))):
        for name, value in values.state_dict().items():
            child, _, rest = name.partition(".")
            state[f"{backbone}.{numbers[child]}.{rest}"] = value
    return state | linear("projection_head.layers.0") | linear("prediction_head.layers.0")


FABRICATED = {
    "supervised": torchvision_like,
    "insdis": partial(pycontrast, mlp=False, jigsaw=False),
    "moco_v1": partial(moco, mlp=False),
    "moco_v2": partial(moco, mlp=True),
    "pirl": partial(pycontrast, mlp=False, jigsaw=True),
    "pcl_v1": partial(moco, mlp=False),
    "pcl_v2": partial(moco, mlp=True),
    "simclr_v1": torchvision_like,
    "simclr_v2": lambda network: Simclr2(network).state_dict(),
    "infomin": partial(pycontrast, mlp=True, jigsaw=True),
    "sela_v2": partial(swav, prototypes=["prototypes.prototypes0", "prototypes.prototypes1"]),
    "deepcluster_v2": partial(swav, prototypes=["prototypes.prototypes0", "prototypes.prototypes1"]),
    "swav": partial(swav, prototypes=["prototypes"]),
    "simsiam": simsiam,
    "lightly": lightly,
    "byol": torchvision_like,
    "plain": torchvision_like,
}
