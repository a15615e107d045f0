"""A network that was trained on for one task, as a directory that people take away."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from sdr.export.card import Card, model_card
from sdr.export.portable import write_onnx, write_program
from sdr.export.write import Extra
from sdr.nets.folder import save_resnet
from sdr.nets.pixels import MEAN, STD
from sdr.ssl.folder import count
from sdr.train.adapt import Adapt, Adapted, Recipe


def write_adapted(
    out: Path, found: Adapted, wanted: Adapt, recipe: Recipe, task: str, extras: Sequence[Extra], command: str
) -> None:
    """Write the network into the existing, empty directory `out`: model.safetensors, config.json and README.md, as
    `sdr.export.write.write_backbone` does.

    Args:
        task: what it was trained on for, in words.
        extras: "onnx" → model.onnx, "program" → model.pt2.
        command: how this directory was made.

    Raises:
        UserError: what ONNX needs is not installed.
    """
    spec, side, widths = found.spec, recipe.embed.side, found.spec.supernet_widths
    save_resnet(out, found.backbone, spec, widths, side)
    if "onnx" in extras:
        write_onnx(found.backbone, side, out / "model.onnx")
    if "program" in extras:
        write_program(found.backbone, side, out / "model.pt2")
    common = recipe.common
    parameters = {"method": common.method, "seed": common.seed, "adapt": wanted.model_dump()}
    card = Card(
        name=f"Baseline, trained on for {task}",
        network="adapted",
        block=spec.block,
        layers=tuple(spec.layers),
        widths=widths,
        n_features=found.backbone.num_features,
        size=side,
        mean=MEAN,
        std=STD,
        interpolation="bicubic",
        onnx="onnx" in extras,
        program="program" in extras,
        stem=spec.stem_type,
        n_parameters=count(found.backbone),
        statistics="the images that it was trained on with",
        task=task,
        corpus=found.corpus["source"],
        corpus_images=found.corpus["n"],
        corpus_fingerprint=found.corpus["fingerprint"],
        nearest_images=len(found.rows),
        parameters=parameters | {"optimization": recipe.optimization.model_dump(), "backbone": spec.model_dump()},
        command=command,
        versions={"python": platform.python_version()} | {p: version(p) for p in ("torch", "torchvision", "timm")},
    )
    (out / "README.md").write_text(model_card(card), encoding="utf-8")
