"""`sdr route --against`: ready backbones beside the choice, on the pictures that it was made for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdr.cli.checks import check_ready

if TYPE_CHECKING:  # imports that take seconds
    import torch

    from sdr.evaluate.beside import Beside
    from sdr.evaluate.knn import Knn
    from sdr.route.bundle import Bundle
    from sdr.route.candidates import Choice
    from sdr.tasks.class_folders import ClassFolders

OPTION = "--against"
HELP = "ready backbones to set beside the choice: timm:NAME, or folders that timm loads"
PIXELS = "raw pixels"
_SIDE = 32  # of raw pixels


def check_against(names: Sequence[str]) -> None:
    """Raise UserError unless each can be a network, see `check_ready`."""
    for name in names:
        check_ready(name, OPTION)


def open_all(names: Sequence[str], folder: Path, device: "torch.device") -> dict:
    """Open them, each as (network, side): before anything else takes time, for what is wrong with one is known then."""
    from sdr.compare.ready import get_ready
    from sdr.export.classifier import open_backbone

    opened = {}
    for number, name in enumerate(names):
        place = folder / f"ready {number}"
        place.mkdir()
        network, _, side = open_backbone(get_ready(name, OPTION, place), device)
        opened[name] = network, side
    return opened


@dataclass(frozen=True)
class Table:
    """Networks on the same pictures, each without having seen the picture that it judges; percent of them right.

    Attributes:
        knn, linear: of the choice, by its neighbours and by logistic regression.
        rows: the others by kNN, and how the choice differs.
        regressed: the others by logistic regression, in their order.
    """

    knn: float
    linear: float
    rows: list["Beside"]
    regressed: list[float]

    def below(self, knn: float, linear: float) -> str:
        """A flag for a network that raw pixels surpass; empty for one that they do not."""
        pixels = [row.name for row in self.rows].index(PIXELS)
        bars = {"kNN": (knn, self.rows[pixels].score), "linear": (linear, self.regressed[pixels])}
        ways = [way for way, (own, bar) in bars.items() if own < bar]
        return f"below raw pixels ({', '.join(ways)})" if ways else ""


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
) -> Table:
    """Score the choice, the baseline, raw pixels and ready backbones on the same pictures, by leave-one-out kNN and by logistic
    regression on four fifths at a time.

    The choice is what routing takes: a sub-net, the baseline or W_0, with its statistics.
    A ready backbone sees them at its own size, so they are read once more for each size.
    """
    from sdr.evaluate.beside import beside
    from sdr.evaluate.held_out import held_out_scores
    from sdr.evaluate.knn import leave_one_out
    from sdr.evaluate.metrics import score
    from sdr.nets.embed import Embedding, embed
    from sdr.nets.pixels import Pixels
    from sdr.route.candidates import Choice, backbone_of
    from sdr.tasks.class_folders import read_class_folders

    read, n_classes = {bundle.size: found.images}, len(found.classes)

    def votes(network, side: int):
        if side not in read:
            again = read_class_folders(images, side, max_bad_fraction, folder / f"side {side}.npy")
            row = {path: i for i, path in enumerate(again.paths)}
            read[side] = again.images[[row[path] for path in found.paths]]
        features = embed(network, read[side], Embedding(side=side, batch_size=256), device)
        linear = score("top1", held_out_scores(features, found.targets, n_classes, device), found.targets)
        return leave_one_out(features, found.targets, n_classes, knn.k, knn.temperature), linear

    def own(one: Choice):
        return votes(backbone_of(one, bundle.trained, bundle.baseline), bundle.size)

    chosen, linear = own(choice)
    others = {
        "baseline": own(Choice("baseline")),
        PIXELS: votes(Pixels(_SIDE).to(device), bundle.size),
        **{name: votes(*opened) for name, opened in ready.items()},
    }
    rows = beside(chosen, {name: by_knn for name, (by_knn, _) in others.items()}, found.targets)
    return Table(score("top1", chosen, found.targets), linear, rows, [found for _, found in others.values()])


def show(table: Table, promise: str) -> None:
    """Print the table; what is below raw pixels is flagged.

    Args:
        promise: what the choice gains over the baseline on other images than these, in words.
    """
    width = max(len("the choice"), *(len(row.name) for row in table.rows))
    print(f"{'':<{width}}  kNN, %  linear, %  choice better by, points of kNN (95 % interval over the images)")
    flag = table.below(table.knn, table.linear)
    print(f"{'the choice':<{width}}  {table.knn:6.2f}  {table.linear:9.2f}  {flag}".rstrip())
    for row, linear in zip(table.rows, table.regressed):
        low, high = row.interval
        flag = table.below(row.score, linear)
        gap = f"{row.difference:+.2f} ({low:+.2f} to {high:+.2f}): {row.word}{'; ' * bool(flag)}{flag}"
        print(f"{row.name:<{width}}  {row.score:6.2f}  {linear:9.2f}  {gap}")
    print(f"The choice was made on these very images, which flatters its row. Its gain: {promise}.")


def facts(table: Table) -> dict:
    """The same for route.json."""
    others = [
        asdict(row)
        | {"word": row.word, "linear": round(linear, 4), "below_pixels": bool(table.below(row.score, linear))}
        for row, linear in zip(table.rows, table.regressed)
    ]
    below = bool(table.below(table.knn, table.linear))
    return {"choice": round(table.knn, 4), "linear": round(table.linear, 4), "below_pixels": below, "others": others}
