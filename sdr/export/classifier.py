"""From a frozen backbone to a classifier that people take away: a linear head on its features, in timm's own form.

The head is the project's own logistic regression (`sdr.evaluate.linear`), at the penalty with the lowest log loss on
validation images, fitted anew on them and the training images together. Its weights are divided by the temperature
that calibrates it on the validation images, so that the softmax of what timm computes is a calibrated probability.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from sdr.base.errors import UserError
from sdr.evaluate.linear import Linear, fit_path
from sdr.evaluate.metrics import bootstrap_interval, score
from sdr.evaluate.temperature import calibration_error, log_loss, softmax, temperature
from sdr.nets.embed import Embedding, embed
from sdr.nets.folder import load_backbone
from sdr.tasks.read_labelled import Split, split_by_hash

LINEAR = Linear(penalties=45, log10_min=-6, log10_max=5, tolerance=1e-6, max_iterations=100, val_fraction=0.2)
_AGREE = 1e-3  # logits by timm and by the solver, relative: float32 against float64


@dataclass(frozen=True)
class Head:
    """A linear head: weight C×D and bias C float32, already divided by the temperature, and how it was found."""

    weight: np.ndarray
    bias: np.ndarray
    facts: dict[str, Any]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Features n×D → n×C float64."""
        return features.astype(np.float64) @ self.weight.T + self.bias


def fit_head(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    n_classes: int,
    params: Linear = LINEAR,
    device: torch.device | str = "cpu",
) -> Head:
    """Fit a calibrated head; `facts` hold penalty, temperature, and accuracy (%) and log loss (nats) on validation images.

    The penalty is chosen by the log loss, not by the accuracy as in the protocol for papers: of a few validation
    images the accuracy is the same for many penalties.

    Args:
        train, val: features n×D and classes int64 n. Every class is in train.

    Raises:
        UserError: the features hold NaN or infinity.
    """
    best: tuple[float, float, np.ndarray] | None = None  # log loss, penalty, validation logits
    for fit in fit_path(*train, n_classes, params.grid(), params, device):
        logits = fit.scores(val[0])
        loss = log_loss(logits, val[1])
        if best is None or loss < best[0]:
            best = loss, fit.solution.penalty, logits
    _, penalty, logits = best
    t = temperature(logits, val[1])
    both = np.concatenate([train[0], val[0]]), np.concatenate([train[1], val[1]])
    (fit,) = fit_path(*both, n_classes, [penalty], params, device)
    facts = {
        "penalty": penalty,
        "temperature": t,
        "images": len(both[1]),
        "validation_images": len(val[1]),
        "validation_accuracy": score("top1", logits, val[1]),
        "validation_log_loss": log_loss(logits / t, val[1]),
    }
    weight, bias = fit.weight.cpu().numpy().T / t, fit.bias.cpu().numpy() / t
    return Head(weight.astype(np.float32), bias.astype(np.float32), facts)


def fit_classifier(
    out: Path,
    backbone: Path,
    splits: Mapping[str, Split],
    classes: Sequence[str],
    device: torch.device,
    batch_size: int = 256,
) -> dict[str, Any]:
    """Fit a head on a backbone's features and write both into `out`: `model.safetensors` and `config.json` for timm.

    Args:
        out: an existing directory; the backbone's own, to give it a head in place.
        backbone: a folder that timm loads; a head that it has is left out.
        splits: "train", maybe "val" and "test", or "all"; without "val" a fifth of each class validates, by hash.
        classes: names of the C classes.

    Returns:
        what `fit_head` says; with a test split also test_images, test_accuracy and test_interval (%),
        test_log_loss and test_calibration_error (%).

    Raises:
        UserError: the folder is none that timm loads, its features are not finite, or its last layer is not linear.
    """
    network, bare, side = open_backbone(backbone, device)
    train = splits.get("train") or splits["all"]
    pairs = {name: _features(network, split, side, batch_size, device) for name, split in splits.items()}
    x, y = pairs.get("train") or pairs["all"]
    if "val" in pairs:
        head = fit_head((x, y), pairs["val"], len(classes), device=device)
    else:
        kept, held = split_by_hash(train, LINEAR.val_fraction)
        if not len(held):
            raise UserError("no class has two different pictures, so none is left to calibrate by; add some")
        head = fit_head((x[kept], y[kept]), (x[held], y[held]), len(classes), device=device)
    facts = head.facts | (_judge(head.logits(pairs["test"][0]), pairs["test"][1]) if "test" in pairs else {})
    config = json.loads((backbone / "config.json").read_text())
    _attach(bare, head, x[:2], next(iter(splits.values())).images[:2], side, network)
    _write(out, bare, config, classes, facts)
    return facts


def open_backbone(directory: Path, device: torch.device) -> tuple[nn.Module, nn.Module, int]:
    """Load a folder that timm loads, without the head that it may have.

    Returns:
        a module of images `N×3×S×S`, normalised as ours are, → features `N×D`; timm's network within it; S, the side
        of images that it takes.
    """
    network = load_backbone(directory, device)
    bare = network[-1] if isinstance(network, nn.Sequential) else network
    if not hasattr(bare, "reset_classifier"):
        raise UserError(f"{directory}: no network that can have a head; give a folder that timm loads")
    bare.reset_classifier(0)
    return network, bare, bare.pretrained_cfg["input_size"][-1]


def _features(
    network: nn.Module, split: Split, side: int, batch_size: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    return embed(network, split.images, Embedding(side=side, batch_size=batch_size), device), split.targets


def _judge(logits: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    return {
        "test_images": len(targets),
        "test_accuracy": score("top1", logits, targets),
        "test_interval": list(bootstrap_interval(logits, targets, "top1", seed=0)),
        "test_log_loss": log_loss(logits, targets),
        "test_calibration_error": calibration_error(softmax(logits), targets),
    }


def _attach(
    bare: nn.Module, head: Head, features: np.ndarray, images: np.ndarray, side: int, network: nn.Module
) -> None:
    """Give timm's network the head, and see that it then computes it on the features: not every architecture does."""
    bare.reset_classifier(len(head.bias))
    layer = bare.get_classifier()
    if isinstance(layer, nn.Linear) and layer.weight.shape == head.weight.shape and layer.bias is not None:
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(head.weight))
            layer.bias.copy_(torch.from_numpy(head.bias))
        device = next(bare.parameters()).device
        bare.eval().to(device)
        found, expected = (
            embed(network, images, Embedding(side=side, batch_size=len(images)), device),
            head.logits(features),
        )
        if np.abs(found - expected).max() <= _AGREE * max(1, np.abs(expected).max()):
            return
    raise UserError(f"the last layer of {type(bare).__name__} is not linear in its features; give another backbone")


def _write(out: Path, network: nn.Module, config: dict, classes: Sequence[str], facts: Mapping[str, Any]) -> None:
    cfg = config.get("pretrained_cfg", {}) | {"num_classes": len(classes), "crop_pct": 1.0, "crop_mode": "center"}
    ours = {"kind": "timm"} | config.get("sdr", {}) | {"classifier": dict(facts)}
    config = config | {
        "num_classes": len(classes),
        "label_names": list(classes),
        "pretrained_cfg": cfg | {"interpolation": "bicubic"},
        "sdr": ours,
    }
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    (out / "model.safetensors").write_bytes(save(state))
    (out / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
