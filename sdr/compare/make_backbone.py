"""Get a network of `compare`, from wherever it is, and write it as a folder that `load_backbone` loads."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdr.base.errors import UserError
from sdr.base.randomness import derive
from sdr.compare.checkpoint_file import find, read, sha256, state_dict
from sdr.compare.compare import Checkpoint, CompareSpec, Random, RawPixels, Timm, Torchvision, check_own_name
from sdr.compare.layouts import LAYOUTS, Layout, convert, custom, names
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.folder import check_input, save_pixels, save_resnet, save_timm
from sdr.nets.pixels import MEAN, STD

_SIDE = 224  # pixels, what timm says of a network whose images may have any side
_NORMALISE = {"imagenet": (MEAN, STD), "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))}


def make_backbone(name: str, spec: CompareSpec, subnet: Backbone, seed: int, directory: Path) -> dict[str, Any]:
    """Write the network into the empty `directory`; return where it is from.

    Args:
        name: its name in `compare`, for messages.
        spec: its entry there.
        subnet: the project's own network, for source `random`.
        seed: of weights that are drawn.

    Raises:
        UserError: the network cannot be had, its file is not what the entry says, or its name is taken.
    """
    check_own_name("compare", name)
    match spec:
        case Random():
            return _random(subnet, seed, directory)
        case RawPixels():
            facts = {"source": "pixels"}
            save_pixels(directory, spec.side, facts)
            return facts
        case Torchvision():
            return _torchvision(name, spec, seed, directory)
        case Timm():
            return _timm(name, spec, seed, directory)
        case Checkpoint(layout="timm_local"):
            return _local(name, spec, directory)
        case Checkpoint():
            return _checkpoint(name, spec, directory)


def _random(subnet: Backbone, seed: int, directory: Path) -> dict[str, Any]:
    network = _drawn(seed, partial(resnet, subnet, subnet.subnet_widths))
    facts = {"source": "random", "seed": seed}
    save_resnet(directory, network, subnet, subnet.subnet_widths, _SIDE, {"kind": "timm", **facts})
    return facts


def _torchvision(name: str, spec: Torchvision, seed: int, directory: Path) -> dict[str, Any]:
    from torchvision import models

    facts: dict[str, Any] = {"source": "torchvision", "model": spec.model, "weights": spec.weights}
    if spec.weights is None:
        state = _drawn(seed, partial(models.get_model, spec.model, weights=None)).state_dict()
    else:
        choices = models.get_model_weights(spec.model).__members__
        if spec.weights not in choices:
            known = ", ".join(choices)
            raise UserError(f"compare.{name}.weights: torchvision has no {spec.weights} of {spec.model}, only {known}")
        state, more = _published(choices[spec.weights])
        facts |= more
    save_timm(directory, _resnet(spec.model, state, LAYOUTS["plain"], f"torchvision's {spec.model}"), facts)
    return facts


def _published(weights: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state dict that torchvision publishes, from torch.hub's folder or the network, and what it is."""
    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.rsplit("/", 1)[1])
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
    except Exception as error:  # of the network, the disk or the unpickler
        what = "damaged; delete it" if file.exists() else "not found, and it cannot be downloaded"
        raise UserError(f"{file}: {what} ({_first_line(error)}); or put {weights.url} there yourself") from None
    digest = sha256(file)
    expected = file.stem.rsplit("-", 1)[1]  # torch.hub checks what it downloads, not what is there
    if not digest.startswith(expected):
        raise UserError(f"{file}: damaged (its sha256 is {digest}); delete it")
    return state, {"weights": weights.name, "file": file.name, "sha256": digest}


def _timm(name: str, spec: Timm, seed: int, directory: Path) -> dict[str, Any]:
    import timm

    arguments = {} if spec.img_size is None else {"img_size": spec.img_size}
    create = partial(timm.create_model, spec.model, pretrained=spec.pretrained, num_classes=0, **arguments)
    try:
        network = _drawn(seed, create)
    except Exception as error:  # of the network, of timm or of the model's own arguments
        architecture = spec.model.split(".")[0]
        offline = " Offline: save it elsewhere as a folder and take source checkpoint, layout timm_local."
        raise UserError(
            f"compare.{name}: timm cannot create {spec.model} ({_first_line(error)}); "
            f"`timm.list_models('*{architecture}*', pretrained=True)` lists names.{offline * spec.pretrained}"
        ) from None
    facts = {"source": "timm", "model": spec.model, "pretrained": spec.pretrained}
    save_timm(directory, network, facts | {"tag": network.pretrained_cfg.get("tag")}, **arguments)
    return facts


def _checkpoint(name: str, spec: Checkpoint, directory: Path) -> dict[str, Any]:
    layout = custom(spec.prefix, spec.drop) if spec.layout == "plain" else LAYOUTS[spec.layout]
    path = find(spec.file)
    digest = sha256(path, spec.sha256)
    state, beside = state_dict(read(path), path, spec.entry)
    network = _resnet(spec.model, state, layout, f"compare.{name}: {path} in layout {spec.layout}")
    _normalise(network, spec.normalise or layout.normalise)
    facts = {"source": "checkpoint", "file": spec.file, "sha256": digest, "layout": spec.layout, "entry": spec.entry}
    dropped = sorted(key for key, name in names(state, layout).items() if name is None)
    save_timm(directory, network, facts | {"published": layout.published, "dropped": dropped, "beside": beside})
    return facts


def _local(name: str, spec: Checkpoint, directory: Path) -> dict[str, Any]:
    import timm

    weights = find(f"{spec.file}/model.safetensors")
    digest = sha256(weights, spec.sha256)
    try:
        network = timm.create_model(f"local-dir:{weights.parent}", pretrained=True)  # strict, so with its classifier
        arguments = json.loads((weights.parent / "config.json").read_text()).get("model_args", {})
        network.reset_classifier(0)
        check_input(network.pretrained_cfg)
    except Exception as error:  # of timm, of a model's own arguments or of the file
        raise UserError(
            f"compare.{name}: {weights.parent} is not a folder that timm loads ({_first_line(error)}); "
            "write one with `timm.models.save_for_hf(model, folder)`"
        ) from None
    if spec.normalise is not None:
        _normalise(network, spec.normalise)
    facts = {"source": "checkpoint", "file": spec.file, "sha256": digest, "layout": spec.layout}
    save_timm(directory, network, facts, **{key: arguments[key] for key in arguments if key != "num_classes"})
    return facts


def _resnet(model: str, state: dict[str, Tensor], layout: Layout, origin: str) -> nn.Module:
    """Timm's ResNet of this name with the weights of a checkpoint, without a classifier."""
    import timm

    network = timm.create_model(model, num_classes=0)
    network.load_state_dict(convert(state, layout, network, origin))
    _normalise(network, "imagenet")
    return network


def _normalise(network: nn.Module, how: str) -> None:
    mean, std = _NORMALISE[how]
    network.pretrained_cfg |= {"mean": mean, "std": std}


def _drawn(seed: int, create: Callable[[], nn.Module]) -> nn.Module:
    """A new network whose weights are a function of the seed: the training's key, so the baseline's first weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        return create()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
