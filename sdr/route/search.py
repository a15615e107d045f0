"""Which sub-net suits a task (paper, section 4.3): weighted kNN on frozen features of the training split.

Test images and labels are never seen here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn
from tqdm import tqdm

from sdr.data.task import Task
from sdr.route.knn import Knn, leave_one_out
from sdr.route.trained import TrainedSdr
from sdr.transfer.metrics import score

Embed = Callable[[nn.Module], np.ndarray]  # a backbone → features `n×D` of the task's training images


@dataclass(frozen=True)
class Ranking:
    """Leave-one-out scores in percent: of each sub-net, of W_0, of the baseline."""

    subnets: np.ndarray  # n_subnets float64
    supernet: float
    baseline: float

    @property
    def order(self) -> np.ndarray:
        """Sub-nets, best first; of equal ones the lower number."""
        return np.argsort(-self.subnets, kind="stable")


def leave_one_out_score(features: np.ndarray, task: Task, knn: Knn) -> float:
    """The task's metric, in percent, of each training image classified by the others. Features `n×D`."""
    targets = task.targets("train")
    votes = leave_one_out(features, targets, len(task.classes), knn.k, knn.temperature)
    return score(task.metric, votes, targets)


def exhaustive(trained: TrainedSdr, baseline: nn.Module, task: Task, knn: Knn, embed: Embed) -> Ranking:
    """Score every network on every training image of the task: the reference answer."""
    scores = [
        leave_one_out_score(embed(trained.subnet(i)), task, knn)
        for i in tqdm(range(trained.n_subnets), desc=f"routing {task.name}", unit="sub-net", disable=None)
    ]
    return Ranking(
        np.array(scores),
        leave_one_out_score(embed(trained.supernet()), task, knn),
        leave_one_out_score(embed(baseline), task, knn),
    )
