"""How self-supervised ResNets are laid out on disk by those who publish them, and the way to a plain state dict.

Every key of a checkpoint is accounted for: it belongs to the backbone, or a pattern of the layout names it as
something to leave behind (a head, a queue, the momentum encoder). What is left over is an error.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from sdr.base.errors import UserError

_SHOWN = 10  # keys that a message lists


@dataclass(frozen=True)
class Layout:
    """Names of one checkpoint.

    Attributes:
        published: who publishes it, and how the names are known.
        prefix: of the backbone's keys; what follows it is the ResNet's name.
        dropped: regular expression of whole keys to leave behind; it is tried first.
        renamed: (regular expression, replacement) of whole names after the prefix, the first match counts; empty:
            they are torchvision's, which are timm's too.
        normalise: what the network was trained on, ImageNet-normalised images or RGB in [0, 1].
    """

    published: str
    prefix: str = ""
    dropped: str = r"fc\.(weight|bias)"
    renamed: tuple[tuple[str, str], ...] = ()
    normalise: str = "imagenet"

    def name(self, key: str) -> str | None:
        """The ResNet's name of a key; None for one to leave behind, "" for one that the layout does not know."""
        if re.fullmatch(self.dropped, key):
            return None
        if not key.startswith(self.prefix):
            return ""
        name = key.removeprefix(self.prefix)
        if not self.renamed:
            return name
        matches = (re.fullmatch(pattern, name) and re.sub(pattern, new, name) for pattern, new in self.renamed)
        return next(filter(None, matches), "")


def custom(prefix: str, dropped: Iterable[str]) -> Layout:
    """A ResNet of anybody's making: the prefix of its keys, and patterns (`*` is anything) of keys to leave behind."""
    patterns = [re.escape(prefix) + Layout.dropped, *(re.escape(p).replace(r"\*", ".*") for p in dropped)]
    return Layout("yours", prefix, "|".join(f"(?:{pattern})" for pattern in patterns))


def _moco(published: str, head: str) -> Layout:
    rest = r"module\.encoder_k\..+|module\.queue(_ptr)?"  # momentum encoder, negatives
    return Layout(published, "module.encoder_q.", rf"module\.encoder_q\.fc\.{head}(weight|bias)|{rest}")


def _pycontrast(system: str, head: str) -> Layout:
    jigsaw = "" if system == "InsDis" else r"|module\.(head_jig|jigsaw|encoder_jig)\..+"
    published = f"HobbitLong/PyContrast, model zoo; its build_backbone.py. Entry `model`; {system}.pth"
    return Layout(published, "module.encoder.", rf"module\.head\.{head}\.(weight|bias){jigsaw}")


def _swav(file: str) -> Layout:
    published = f"facebookresearch/swav, {file}; its hubconf.py and resnet50.py. No entry"
    return Layout(published, "module.", r"module\.(projection_head|prototypes)\..+")


_LINEAR, _MLP = "", r"[02]\."  # projection heads: one linear layer, or two
_SIMCLR2 = "Google, converted by Separius/SimCLRv2-Pytorch (r50_1x_sk0.pth, entry `resnet`); its resnet.py"
_SIMCLR2_NAMES = (
    (r"net\.0\.0\.weight", r"conv1.weight"),
    (r"net\.0\.1\.0\.(\w+)", r"bn1.\1"),
    (r"net\.(\d)\.blocks\.(\d+)\.net\.0\.weight", r"layer\1.\2.conv1.weight"),
    (r"net\.(\d)\.blocks\.(\d+)\.net\.1\.0\.(\w+)", r"layer\1.\2.bn1.\3"),
    (r"net\.(\d)\.blocks\.(\d+)\.net\.2\.weight", r"layer\1.\2.conv2.weight"),
    (r"net\.(\d)\.blocks\.(\d+)\.net\.3\.0\.(\w+)", r"layer\1.\2.bn2.\3"),
    (r"net\.(\d)\.blocks\.(\d+)\.net\.4\.weight", r"layer\1.\2.conv3.weight"),
    (r"net\.(\d)\.blocks\.(\d+)\.net\.5\.0\.(\w+)", r"layer\1.\2.bn3.\3"),
    (r"net\.(\d)\.blocks\.(\d+)\.projection\.shortcut\.weight", r"layer\1.\2.downsample.0.weight"),
    (r"net\.(\d)\.blocks\.(\d+)\.projection\.bn\.0\.(\w+)", r"layer\1.\2.downsample.1.\3"),
)

LAYOUTS = {
    "supervised": Layout("torchvision, resnet50-0676ba61.pth (IMAGENET1K_V1, what Ericsson et al. evaluate). No entry"),
    "insdis": _pycontrast("InsDis", "0"),
    "moco_v1": _moco("facebookresearch/moco, moco_v1_200ep_pretrain.pth.tar; its builder.py", _LINEAR),
    "moco_v2": _moco("facebookresearch/moco, moco_v2_800ep_pretrain.pth.tar; its builder.py", _MLP),
    "pirl": _pycontrast("PIRL", "0"),
    "pcl_v1": _moco("salesforce/PCL, PCL_v1_epoch200.pth.tar; its builder.py", _LINEAR),
    "pcl_v2": _moco("salesforce/PCL, PCL_v2_epoch200.pth.tar; its builder.py", _MLP),
    "simclr_v1": Layout(
        "Google, ResNet50_1x.zip converted by tonylins/simclr-converter; its convert.py", normalise="none"
    ),
    "simclr_v2": Layout(_SIMCLR2, renamed=_SIMCLR2_NAMES, normalise="none"),
    "infomin": _pycontrast("InfoMin_800", "[02]"),
    "sela_v2": _swav("selav2_400ep_pretrain.pth.tar"),
    "deepcluster_v2": _swav("deepclusterv2_800ep_pretrain.pth.tar"),
    "swav": _swav("swav_800ep_pretrain.pth.tar"),
    "simsiam": Layout(
        "facebookresearch/simsiam, checkpoint_0099.pth.tar (100 epochs); its builder.py and main_lincls.py",
        prefix="module.encoder.",
        dropped=r"module\.encoder\.fc\..+|module\.predictor\..+",
    ),
    "byol": Layout("DeepMind, pretrain_res50x1.pkl converted by linusericsson/ssl-transfer; its convert_byol"),
    "plain": custom("", []),
}


def convert(state: Mapping[str, Tensor], layout: Layout, network: nn.Module, origin: str) -> dict[str, Tensor]:
    """Return the state dict of `network` that a checkpoint holds; nothing is copied.

    Args:
        state: the checkpoint's keys and tensors.
        layout: how they are named.
        network: a ResNet of the same shape, for the names and shapes to expect.
        origin: what to call the checkpoint in a message.

    Raises:
        UserError: keys that are missing, unknown to the layout, or of another shape, all of them at once.
    """
    named = {key: layout.name(key) for key in state}
    found = {name: state[key] for key, name in named.items() if name}
    expected = network.state_dict()
    for name in expected.keys() - found.keys():
        if name.endswith(".num_batches_tracked"):  # a counter that no forward pass reads; old files lack it
            found[name] = expected[name]
    missing = [name for name in expected if name not in found]
    surplus = [key for key, name in named.items() if name == "" or (name and name not in expected)]
    shapes = {name: tuple(getattr(found[name], "shape", ())) for name in expected if name in found}
    wrong = [name for name, shape in shapes.items() if shape != tuple(expected[name].shape)]
    if wider := _times_wider(shapes, expected):
        raise UserError(
            f"{origin}: the network is {wider} times as wide as this ResNet; take the checkpoint of width 1"
        )
    if missing or surplus or wrong:
        misshapen = [f"{name} {shapes[name]} in place of {tuple(expected[name].shape)}" for name in wrong]
        parts = [("missing", missing), ("surplus", surplus), ("misshapen", misshapen)]
        listed = "; ".join(f"{len(keys)} {what}: {_some(keys)}" for what, keys in parts if keys)
        hint = _hint(state, layout, expected) if missing or surplus else ""
        raise UserError(f"{origin}: {listed}{hint}")
    return {name: found[name] for name in expected}


def _times_wider(shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, Tensor]) -> int:
    """How many times as wide a network is in every convolution; 0 if that is not all that differs."""
    convolutions = [name for name, shape in shapes.items() if len(shape) == expected[name].ndim == 4]
    ratios = {shapes[name][0] / expected[name].shape[0] for name in convolutions}
    ratio = ratios.pop() if len(ratios) == 1 else 0
    return int(ratio) if ratio > 1 and ratio == int(ratio) else 0


def _hint(state: Mapping[str, Tensor], layout: Layout, expected: Mapping[str, Tensor]) -> str:
    """The layouts by which all keys are accounted for, if there are any."""
    needed = {name for name in expected if not name.endswith(".num_batches_tracked")}
    fits = []
    for other, candidate in LAYOUTS.items():
        names = {candidate.name(key) for key in state} - {None}
        if candidate != layout and needed <= names <= expected.keys():
            fits.append(other)
    return f". The keys are those of layout {' or '.join(fits)}" if fits else ""


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (" …" if len(keys) > _SHOWN else "")
