"""Linear and kNN evaluation of a frozen backbone on one task."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from sdr.data.task import Task
from sdr.errors import UserError
from sdr.nets.embed import Embedding, embed
from sdr.route.knn import Knn, knn_scores
from sdr.transfer.linear import Linear, evaluate
from sdr.transfer.metrics import score


@dataclass(frozen=True)
class Protocol:
    """How features are taken and judged: the sections of `params.yaml` of these names, and the seed."""

    embed: Embedding
    knn: Knn
    linear: Linear
    seed: int


def evaluate_task(
    name: str, backbone: nn.Module, task: Task, protocol: Protocol, device: torch.device
) -> dict:
    """Fit on the task's train (and val) split, test once on its test split.

    Images are read and embedded `embed.batch_size` at a time; what is held is the features.

    Args:
        name: the network's, for messages.
        backbone: in evaluation mode, images `N×3×S×S` → features `N×D`.

    Returns:
        What `sdr.transfer.linear.evaluate` says, and `knn` (percent): neighbours from train and val together.

    Raises:
        UserError: features that are not finite.
    """
    splits = ["train", *(["val"] if task.has_val else []), "test"]
    x = {split: _features(name, backbone, task, split, protocol.embed, device) for split in splits}
    y = {split: task.targets(split) for split in splits}
    val = (x["val"], y["val"]) if task.has_val else None
    result = evaluate(
        x["train"], y["train"], val, x["test"], y["test"], task.classes, task.metric, protocol.linear, protocol.seed,
        device,
    )  # fmt: skip
    known_x, known_y = x["train"], y["train"]
    if task.has_val:
        known_x, known_y = np.concatenate([known_x, x["val"]]), np.concatenate([known_y, y["val"]])
    knn = protocol.knn
    votes = knn_scores(known_x, known_y, x["test"], len(task.classes), knn.k, knn.temperature)
    return result | {"knn": score(task.metric, votes, y["test"])}


def _features(
    name: str, backbone: nn.Module, task: Task, split: str, params: Embedding, device: torch.device
) -> np.ndarray:
    x = embed(backbone, task.images(split), params, device)
    bad = int((~np.isfinite(x).all(axis=1)).sum())
    if bad:
        raise UserError(
            f"network {name}: the features of {bad:,} of {len(x):,} {split} images of task {task.name} hold NaN or "
            "infinity; look for a collapsed or diverged network, a damaged checkpoint, or a wrong `normalise`"
        )
    return x
