"""`sdr route --against`: ready backbones beside the choice, on the pictures that it was made for."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sdr.base.errors import UserError
from sdr.cli.checks import check_backbone

if TYPE_CHECKING:  # imports that take seconds
    import torch

    from sdr.evaluate.beside import Beside
    from sdr.evaluate.knn import Knn
    from sdr.route.bundle import Bundle
    from sdr.route.candidates import Choice
    from sdr.tasks.class_folders import ClassFolders

OPTION = "--against"
HELP = "ready backbones to set beside the choice: timm:NAME, or folders that timm loads"
_PIXELS = 32  # side of raw pixels


def check_against(names: Sequence[str]) -> None:
    """Raise UserError unless each is `timm:NAME` or a folder that timm can load; timm is not asked for the name yet."""
    for name in names:
        if not name.startswith("timm:"):
            check_backbone(Path(name), OPTION)
        elif not name.removeprefix("timm:").replace(".", "").replace("_", "").isalnum():
            raise UserError(f"{OPTION} {name}: no name of a network of timm's; `timm.list_models()` lists them")


def open_all(names: Sequence[str], folder: Path, device: "torch.device") -> dict:
    """Open them, each as (network, side): before anything else takes time, for what is wrong with one is known then."""
    from sdr.export.ready import open_ready

    opened = {}
    for number, name in enumerate(names):
        place = folder / f"ready {number}"
        place.mkdir()
        opened[name] = open_ready(name, OPTION, place, device)
    return opened


def set_beside(
    ready: dict,
    bundle: "Bundle",
    choice: "Choice",
    images: Path,
    found: "ClassFolders",
    knn: "Knn",
    max_bad_fraction: float,
    folder: Path,
    device: "torch.device",
) -> tuple[float, list["Beside"]]:
    """Score the choice, the baseline, raw pixels and ready backbones by leave-one-out kNN on the same pictures.

    The choice is what routing takes: a sub-net, the baseline or W_0, with its statistics.
    A ready backbone sees them at its own size, so they are read once more for each size.

    Returns:
        the choice's score, percent, and a row for each of the others.
    """
    from sdr.evaluate.beside import beside
    from sdr.evaluate.knn import leave_one_out
    from sdr.evaluate.metrics import score
    from sdr.nets.embed import Embedding, embed
    from sdr.nets.pixels import Pixels
    from sdr.route.candidates import Choice, backbone_of
    from sdr.tasks.class_folders import read_class_folders

    read = {bundle.size: found.images}

    def votes(network, side: int):
        if side not in read:
            again = read_class_folders(images, side, max_bad_fraction, folder / f"side {side}.npy")
            row = {path: i for i, path in enumerate(again.paths)}
            read[side] = again.images[[row[path] for path in found.paths]]
        features = embed(network, read[side], Embedding(side=side, batch_size=256), device)
        return leave_one_out(features, found.targets, len(found.classes), knn.k, knn.temperature)

    def own(one: Choice):
        return votes(backbone_of(one, bundle.trained, bundle.baseline), bundle.size)

    chosen = own(choice)
    others = {
        "baseline": own(Choice("baseline")),
        "raw pixels": votes(Pixels(_PIXELS).to(device), bundle.size),
        **{name: votes(*opened) for name, opened in ready.items()},
    }
    return score("top1", chosen, found.targets), beside(chosen, others, found.targets)


def show(own: float, rows: list["Beside"], promise: str) -> None:
    """Print the table; what is below raw pixels is flagged.

    Args:
        promise: what the choice gains over the baseline on other images than these, in words.
    """
    pixels = next(row.score for row in rows if row.name == "raw pixels")
    width = max(len("the choice"), *(len(row.name) for row in rows))
    print(f"{'':<{width}}  kNN, %  choice better by, points (95 % interval over the images)")
    print(f"{'the choice':<{width}}  {own:6.2f}" + ("  below raw pixels" if own < pixels else ""))
    for row in rows:
        low, high = row.interval
        flag = "; below raw pixels" if row.score < pixels else ""
        gap = f"{row.difference:+.2f} ({low:+.2f} to {high:+.2f}): {row.word}{flag}"
        print(f"{row.name:<{width}}  {row.score:6.2f}  {gap}")
    print(f"The choice was made on these very images, which flatters its row. Its gain: {promise}.")


def facts(own: float, rows: list["Beside"]) -> dict:
    """The same for route.json."""
    return {"choice": round(own, 4), "others": [asdict(row) | {"word": row.word} for row in rows]}
