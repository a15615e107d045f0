"""A backbone as a directory that people take away: timm's files, a model card, and what else is asked for."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sdr.base.errors import UserError
from sdr.base.outputs import sha256
from sdr.export.card import Card, model_card
from sdr.export.portable import write_onnx, write_program
from sdr.export.scores import evaluated_scores
from sdr.nets.folder import WEIGHTS, save_resnet
from sdr.nets.paths import path_of
from sdr.nets.pixels import MEAN, STD
from sdr.route.bundle import Bundle
from sdr.route.candidates import Choice, backbone_of
from sdr.ssl.folder import count

Extra = Literal["onnx", "program"]
Network = Literal["w0", "baseline"] | int | Choice  # a number: that sub-net
NAMED = {"w0": Choice("w0"), "baseline": Choice("baseline")}


def write_backbone(
    out: Path,
    bundle: Bundle,
    network: Network,
    name: str,
    extras: Sequence[Extra] = (),
    task: str | None = None,
    routing: str | None = None,
    command: str | None = None,
    scored: bool = False,
) -> None:
    """Write one network of a super-net into the existing, empty directory `out`.

    model.safetensors and config.json are what `timm.create_model("local-dir:PATH", pretrained=True)` reads; README.md
    is the model card; samples/ shows the cluster of a sub-net.

    Args:
        bundle: the super-net.
        network: which of its networks, or what routing chose: a network and its statistics.
        name: the card's title.
        extras: "onnx" → model.onnx, "program" → model.pt2.
        task, routing: what it was chosen for, and how well it did there, in words.
        command: how this directory was made.
        scored: show the test scores that lie beside the super-net.

    Raises:
        UserError: there is no such sub-net, or what ONNX needs is not installed.
    """
    trained = bundle.trained
    choice = network if isinstance(network, Choice) else NAMED.get(network) or Choice("subnets", network)
    network = choice.network if choice.subnet is None else choice.subnet
    if isinstance(network, int) and not 0 <= network < trained.n_subnets:
        raise UserError(f"no sub-net {network}: the super-net has 0 to {trained.n_subnets - 1}")
    backbone = backbone_of(choice, trained, bundle.baseline)
    widths = trained.spec.supernet_widths if network == "w0" else trained.spec.subnet_widths
    save_resnet(out, backbone, trained.spec, widths, bundle.size)
    weights = sha256(out / WEIGHTS)
    if "onnx" in extras:
        write_onnx(backbone, bundle.size, out / "model.onnx")
    if "program" in extras:
        write_program(backbone, bundle.size, out / "model.pt2")
    own = isinstance(network, int)
    path = "-".join(map(str, path_of(network, trained.spec.groups))) if own else None
    corpus = bundle.seal["corpus"]
    card = Card(
        name=name,
        network="subnet" if own else network,
        block=trained.spec.block,
        layers=tuple(trained.spec.layers),
        widths=tuple(widths),
        n_features=backbone.num_features,
        size=bundle.size,
        mean=MEAN,
        std=STD,
        interpolation="bicubic",
        onnx="onnx" in extras,
        program="program" in extras,
        stem=trained.spec.stem_type,
        n_parameters=count(backbone),
        subnet=network if own else None,
        n_subnets=trained.n_subnets if own else None,
        path=path,
        statistics=choice.facts(trained)["statistics"],
        task=task,
        routing=routing,
        corpus=corpus["source"],
        corpus_images=corpus["n"],
        corpus_fingerprint=corpus["fingerprint"],
        cluster_images=int(bundle.sizes[network]) if own and bundle.seal["subsets"] == "cluster" else None,
        samples=_copy_samples(bundle, network, out) if own else (),
        scores=evaluated_scores(bundle.root, network, weights) if scored else (),
        parameters=bundle.seal["parameters"] | {"backbone": trained.spec.model_dump()},
        command=command,
        versions=bundle.seal["versions"],
    )
    (out / "README.md").write_text(model_card(card), encoding="utf-8")


def _copy_samples(bundle: Bundle, number: int, out: Path) -> tuple[str, ...]:
    picture = bundle.root / f"clusters/samples/cluster_{number:03d}.png"
    if bundle.seal["subsets"] != "cluster" or not picture.is_file():
        return ()
    (out / "samples").mkdir()
    shutil.copy(picture, out / "samples" / picture.name)
    return (picture.name,)
