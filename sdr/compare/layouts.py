"""How self-supervised ResNets are laid out on disk by those who publish them, and the way to a plain state dict.

Every key of a checkpoint is accounted for: it belongs to the backbone, or a pattern of the layout names it as
something to leave behind (a head, a queue, the momentum encoder). What is left over is an error.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdr.base.errors import UserError

_SHOWN = 10  # keys that a message lists
_COMPILED, _PARALLEL = "_orig_mod.", "module."  # what torch.compile and DistributedDataParallel put before names
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}  # of a ResNet


@dataclass(frozen=True)
class Layout:
    """Names of one checkpoint.

    Attributes:
        published: who publishes it, and how the names are known.
        prefix: of the backbone's keys; what follows it is the ResNet's name, or its number in an `nn.Sequential` of
            the ResNet's children, as lightly has it.
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
            child, _, rest = name.partition(".")
            return f"{_CHILDREN[child]}.{rest}" if child in _CHILDREN else name
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
    "lightly": Layout(
        "lightly-ai/lightly, its examples' Lightning checkpoints: `nn.Sequential(*list(resnet.children())[:-1])`",
        prefix="backbone.",
        dropped=r"(projection_head|prediction_head|prototypes|criterion|(backbone|projection_head)_momentum)\..+",
    ),
    "byol": Layout("DeepMind, pretrain_res50x1.pkl converted by linusericsson/ssl-transfer; its convert_byol"),
    "plain": custom("", []),
}


def convert(state: Mapping[str, Tensor], layout: Layout, network: nn.Module, origin: str) -> dict[str, Tensor]:
    """Return the state dict of `network` that a checkpoint holds; nothing is copied.

    Names that a compiled or parallel network puts before the others make no difference.

    Args:
        state: the checkpoint's keys and tensors.
        layout: how they are named.
        network: a ResNet of the same shape, for the names and shapes to expect.
        origin: what to call the checkpoint in a message.

    Raises:
        UserError: keys that are missing, unknown to the layout, or of another shape, all of them at once; two keys
            for one name; values that are no plain floating-point numbers.
    """
    named = names(state, layout)
    found: dict[str, Tensor] = {}
    for key, name in named.items():
        if name and name in found:
            raise UserError(f"{origin}: two networks in one: {name} has several keys, {key} among them; keep one")
        if name:
            found[name] = state[key]
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
        hint = _hint(state, layout, expected, bool(missing)) if missing or surplus else ""
        raise UserError(f"{origin}: {listed}{hint}")
    for name, value in expected.items():
        if value.is_floating_point() and (odd := _no_weight(found[name])):
            raise UserError(f"{origin}: {name} is {odd}; weights are plain floating-point numbers: write them so")
    return {name: found[name] for name in expected}


def names(state: Iterable[str], layout: Layout) -> dict[str, str | None]:
    """What `Layout.name` says of each key, however the network was wrapped when it was saved."""
    keys = {key: key.replace(_COMPILED, "") for key in state}
    parallel = any(key.startswith(_PARALLEL) for key in keys.values())
    if layout.prefix.startswith(_PARALLEL) and not parallel:
        keys = {key: _PARALLEL + short for key, short in keys.items()}
    elif not layout.prefix.startswith(_PARALLEL) and all(key.startswith(_PARALLEL) for key in keys.values()):
        keys = {key: short.removeprefix(_PARALLEL) for key, short in keys.items()}
    return {key: layout.name(short) for key, short in keys.items()}


def _no_weight(value: Tensor) -> str:
    """What a tensor is, if it cannot be a weight; else nothing."""
    if value.is_meta:
        return "a meta tensor, which has no values"
    if value.is_quantized or value.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        return f"quantised, or no weight: {str(value.dtype).removeprefix('torch.')}"
    if value.layout != torch.strided:
        return f"sparse ({str(value.layout).removeprefix('torch.')})"
    return "" if torch.isfinite(value).all() else "not finite"


def _times_wider(shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, Tensor]) -> int:
    """How many times as wide a network is in every convolution; 0 if that is not all that differs."""
    convolutions = [name for name, shape in shapes.items() if len(shape) == expected[name].ndim == 4]
    ratios = {shapes[name][0] / expected[name].shape[0] for name in convolutions}
    ratio = ratios.pop() if len(ratios) == 1 else 0
    return int(ratio) if ratio > 1 and ratio == int(ratio) else 0


def _hint(state: Mapping[str, Tensor], layout: Layout, expected: Mapping[str, Tensor], missing: bool) -> str:
    """The layouts by which all keys are accounted for; else, if some are missing, what to write with layout plain."""
    needed = {name for name in expected if not name.endswith(".num_batches_tracked")}
    fits = []
    for other, candidate in LAYOUTS.items():
        known = {*names(state, candidate).values()} - {None}
        if candidate != layout and needed <= known <= expected.keys():
            fits.append(other)
    if fits:
        return f". The keys are those of layout {' or '.join(fits)}"
    prefixes = {key.removesuffix(end) for key in state for end in ("conv1.weight", "0.weight") if key.endswith(end)}
    whole = sorted(p for p in prefixes if needed <= {*names(state, custom(p, [])).values()})
    if not whole or not missing:
        return ""
    prefix = max(whole, key=len)
    others = {_pattern(key, prefix) for key, name in names(state, custom(prefix, [])).items() if name not in expected}
    dropped = f", drop {sorted(others - {None})}" if others - {None} else ""
    more = f" (networks begin with {', '.join(whole)})" if len(whole) > 1 else ""
    return f'. A network is there by layout plain, prefix "{prefix}"{dropped}{more}'


def _pattern(key: str, prefix: str) -> str | None:
    """A pattern for `drop` by which a key of no backbone goes; None for a key that goes as it is."""
    if re.fullmatch(re.escape(prefix) + Layout.dropped, key):
        return None
    common = prefix if key.startswith(prefix) else _PARALLEL if key.startswith(_PARALLEL) else ""
    first, dot, _ = key.removeprefix(common).partition(".")
    return f"{common}{first}.*" if dot else key


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (" …" if len(keys) > _SHOWN else "")
