"""Linear and kNN evaluation of a frozen backbone on one task."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sdr.base.errors import UserError
from sdr.base.outputs import sha256
from sdr.evaluate.knn import Knn, knn_scores
from sdr.evaluate.linear import Linear, choose_and_fit, evaluate, judge
from sdr.evaluate.metrics import score
from sdr.nets.embed import Embedding, embed
from sdr.nets.folder import WEIGHTS
from sdr.tasks.task import Task


@dataclass(frozen=True)
class Protocol:
    """How features are taken and judged: the sections of `params.yaml` of these names, and the seed."""

    embed: Embedding
    knn: Knn
    linear: Linear
    seed: int


def evaluate_task(name: str, backbone: nn.Module, task: Task, protocol: Protocol, device: torch.device) -> dict:
    """Fit on the task's train (and val) split, test once on its test split.

    Images are read and embedded `embed.batch_size` at a time; what is held is the features.

    Args:
        name: the network's, for messages.
        backbone: in evaluation mode, images `N×3×S×S` → features `N×D`.

    Returns:
        What `sdr.evaluate.linear.evaluate` says, and `knn` (percent): neighbours from train and val together.

    Raises:
        UserError: features that are not finite.
    """
    data = _Split.embed(name, backbone, task, protocol, device)
    result = evaluate(
        data.train[0],
        data.train[1],
        data.val,
        data.test_x,
        data.test_y,
        task.classes,
        task.metric,
        protocol.linear,
        protocol.seed,
        device,
    )
    return result | {"knn": score(task.metric, data.votes(len(task.classes), protocol.knn), data.test_y)}


def evaluate_votes(members: Iterable[nn.Module], task: Task, protocol: Protocol, device: torch.device) -> dict:
    """Evaluate several networks by the mean of what each says alone: class probabilities of its own classifier, with its
    own penalty, and its neighbours' votes. Costs as much as all of them.

    Args:
        members: backbones; each may be overwritten when the next is asked for.

    Returns:
        `linear`, `linear_interval`, `per_class` and `knn` as of `evaluate_task`.
    """
    probabilities, votes = [], []
    for number, backbone in enumerate(members, 1):
        data = _Split.embed(f"{number} of the ensemble", backbone, task, protocol, device)
        fit, *_ = choose_and_fit(*data.train, data.val, len(task.classes), task.metric, protocol.linear, device)
        probabilities.append(fit.probabilities(data.test_x, data.test_y.ndim == 2))
        votes.append(data.votes(len(task.classes), protocol.knn))
    judged = judge(np.mean(probabilities, axis=0), data.test_y, task.classes, task.metric, protocol.seed)
    return judged | {"knn": score(task.metric, np.mean(votes, axis=0), data.test_y)}


def evaluation(task: Task, folder: str | Path, networks: dict[str, dict]) -> dict:
    """What is kept of an evaluation: the task, the scores by network, and the hash of the weights in `folder`."""
    weights = sha256(Path(folder, WEIGHTS)) if Path(folder, WEIGHTS).exists() else None  # raw pixels have none
    return {"task": task.name, "metric": task.metric, "weights": weights, "networks": networks}


def in_words(networks: dict[str, dict]) -> str:
    """The scores, for people."""
    return ", ".join(f"{name} {found['linear']:.2f} % (kNN {found['knn']:.2f} %)" for name, found in networks.items())


@dataclass(frozen=True)
class _Split:
    """Features n×D float32 and targets of a task's splits."""

    train: tuple[np.ndarray, np.ndarray]
    val: tuple[np.ndarray, np.ndarray] | None
    test_x: np.ndarray
    test_y: np.ndarray

    @classmethod
    def embed(cls, name: str, backbone: nn.Module, task: Task, protocol: Protocol, device: torch.device) -> "_Split":
        def pair(split: str) -> tuple[np.ndarray, np.ndarray]:
            return _features(name, backbone, task, split, protocol.embed, device), task.targets(split)

        train = pair("train")
        return cls(train, pair("val") if task.has_val else None, *pair("test"))

    def votes(self, n_classes: int, knn: Knn) -> np.ndarray:
        """What neighbours from train and val together say of the test images, n×C."""
        known = [self.train, *([self.val] if self.val else [])]
        x, y = (np.concatenate(each) for each in zip(*known))
        return knn_scores(x, y, self.test_x, n_classes, knn.k, knn.temperature)


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
