"""Continuation on demand: the baseline, trained on with the corpus images that are nearest to one task's training images.

For whoever has one task. Unlabelled images are chosen by their nearest neighbours and pre-training goes on with them: kNN-TAPT of
Gururangan et al. (2020, "Don't Stop Pretraining", section 4.2), with the union over query images as in the retrieval of DINOv2 (Oquab
et al. 2023, section 3). Labels and test images are never seen.
"""

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, PositiveInt
from torch import nn

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.corpus.parts import Part
from sdr.corpus.store import ImageStore
from sdr.nets.backbone import Backbone
from sdr.nets.calibrate import calibrate, sample
from sdr.nets.embed import Embedding, embed, evaluation_view
from sdr.nets.folder import load_backbone
from sdr.train.cost import network_of, training_macs
from sdr.train.jobs import COMMON, Common
from sdr.train.loop import train
from sdr.train.networks import load_baseline
from sdr.train.optimizers import Optimization
from sdr.train.schedule import Schedule
from sdr.train.training import Training

_AT_ONCE = 2**26  # cosines


class Adapt(Section):
    """Of one task."""

    images: int = Field(ge=2)
    """Corpus images to train on, at most: those nearest to the task's."""
    steps: PositiveInt = Field(le=10**9)
    """Of the baseline's batch size, with all else of `pretrain.optimization`."""
    lr: PositiveFloat
    """× batch_size / 256, the peak."""


@dataclass(frozen=True)
class Recipe:
    """What a continuation has in common with the baseline's training, in which its statistics are measured too."""

    common: Common
    optimization: Optimization
    log_every: int
    embed: Embedding
    calibrated: int
    """Images that batch-norm statistics are measured on, at most."""

    @classmethod
    def of(cls, params: dict[str, Any]) -> "Recipe":
        """From what `sdr.base.params.load` gave, which may be more."""
        return cls(Common.of(params), *(params[name] for name in RECIPE if name not in COMMON))


RECIPE = COMMON | {
    "pretrain__optimization": Optimization,
    "pretrain__log_every": PositiveInt,
    "embed": Embedding,
    "calibrate__images": PositiveInt,
}
"""Names and types of its parameters, for `sdr.base.params.load`, in the order of the fields."""


@dataclass(frozen=True)
class Adapted:
    """What came of it.

    Attributes:
        backbone: calibrated on images that it was trained on.
        spec: its widths.
        rows: the corpus images that it was trained on, sorted, int64.
        history, cost: as of `sdr.train.loop.train`.
        facts: `steps`, `macs` of training on one image, and `images`, how many there are in `rows`.
        corpus: what the corpus says of itself.
        checkpoints: to be removed when all is written.
    """

    backbone: nn.Module
    spec: Backbone
    rows: np.ndarray
    history: list[dict]
    cost: dict
    facts: dict[str, int]
    corpus: dict[str, Any]
    checkpoints: Checkpoints


@torch.inference_mode()
def nearest(corpus: np.ndarray, task: np.ndarray, images: int, device: torch.device) -> np.ndarray:
    """Choose corpus images: each task image in turn names the nearest that it has not named yet, until there are `images`.

    So every image of the task has a say, wherever it lies; those of the last round that are too many are the least similar.

    Args:
        corpus, task: features N×D and n×D float32; similarity is their cosine.
        images: how many; all N if there are fewer.

    Returns:
        Sorted indices, int64.
    """
    images, named = min(images, len(corpus)), -(-images // len(task))  # as many rounds suffice if no two name the same
    x, y = (F.normalize(torch.tensor(part, dtype=torch.float32, device=device)) for part in (corpus, task))
    block = max(1, _AT_ONCE // len(x))
    while True:
        named = min(named, len(x))
        found = [torch.topk(part @ x.T, named, dim=1) for part in y.split(block)]
        index, cosine = (torch.cat(each).cpu().numpy() for each in zip(*((f.indices, f.values) for f in found)))
        if len(np.unique(index)) >= images:
            break
        named *= 2
    turn = np.broadcast_to(np.arange(named), index.shape)
    ordered = index.ravel()[np.lexsort((-cosine.ravel(), turn.ravel()))]
    _, first = np.unique(ordered, return_index=True)
    return np.sort(ordered[np.sort(first)[:images]]).astype(np.int64)


def continuation(wanted: Adapt, recipe: Recipe, images: int) -> Training:
    """The training of `images` images that starts from the baseline."""
    return recipe.common.training(
        "adapt",
        recipe.common.backbone.single(),
        optimization=recipe.optimization.model_copy(update={"lr": wanted.lr}),
        schedule=Schedule(wanted.steps, 1, 1, 1.0, 1.0, 1.0, True, recipe.common.seed),
        images=images,
        init="baseline",
        log_every=recipe.log_every,
    )


def adapt(root: Path, shown: np.ndarray, wanted: Adapt, recipe: Recipe, device: torch.device) -> Adapted:
    """Continue the baseline for a task.

    Args:
        root: what the pipeline made: `artifacts`, with data, features, baseline and backbones/baseline.
        shown: the task's training images `n×S×S×3` uint8.

    Raises:
        UserError: something of it is missing, or does not belong together; as `sdr.train.loop.train`.
    """
    data, file = ImageStore.open(root / "data"), root / "features/features.npy"
    if not file.is_file():
        raise UserError(f"{file}: not found; run `dvc repro extract`, or `dvc pull extract`")
    features = np.load(file, mmap_mode="r")
    backbone = load_backbone(root / "backbones/baseline", device)
    if features.shape != (len(data), backbone.num_features):
        raise UserError(f"{file}: not of the images in {root / 'data'} by the baseline; run `dvc repro extract`")
    rows = nearest(features, embed(backbone, shown, recipe.embed, device), wanted.images, device)
    part, job = Part(data, rows), continuation(wanted, recipe, len(rows))
    start = load_baseline(root / "baseline", job, device)
    weights, images = (root / "baseline/model.safetensors").read_bytes(), rows.tobytes()
    facts = {"of": sha256(weights).hexdigest(), "images": sha256(images).hexdigest(), "device": device.type}
    facts |= {"data": data.meta["fingerprint"], "recipe": asdict(recipe), "wanted": wanted.model_dump()}
    checkpoints = Checkpoints("adapt", facts)
    network, history, cost = train(job, part, checkpoints, device, start)
    measured = part.read(sample(np.arange(len(rows)), recipe.calibrated, recipe.common.seed))
    calibrate(network.backbone, evaluation_view(measured, recipe.embed.side, device))
    common = recipe.common
    shape = network_of(common.method, job.spec, job.spec.supernet_widths, common.heads)
    said = {"steps": wanted.steps, "macs": training_macs(shape, common.views.side), "images": len(rows)}
    return Adapted(network.backbone, job.spec, rows, history, cost, said, data.meta, checkpoints)
