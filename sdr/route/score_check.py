"""How well routing's scores foresee linear evaluation: every sub-net of a super-net is scored and evaluated on a task.

The test split is used to judge the scores, never to route.
"""

import numpy as np
import torch
from tqdm import tqdm

from sdr.evaluate.evaluate_task import Protocol, evaluate_task
from sdr.nets.embed import embed
from sdr.route.bundle import Bundle
from sdr.route.score import Score, ScoreName
from sdr.tasks.judged import judged_by
from sdr.tasks.task import Task

SCORES: tuple[ScoreName, ...] = ("knn", "logme", "hscore")


def check_scores(bundle: Bundle, task: Task, protocol: Protocol, device: torch.device) -> dict:
    """Score and evaluate all sub-nets on one task.

    Returns:
        what `judge` says, and `subnets`: of each score and of `linear` a list, in the order of the sub-nets.
    """
    images, targets, _ = judged_by(task)
    scores = {name: Score(name, task.metric, len(task.classes), protocol.knn) for name in SCORES}
    found: dict[str, list[float]] = {name: [] for name in (*SCORES, "linear")}
    for i in tqdm(range(bundle.trained.n_subnets), f"scores of {task.name}", unit=" sub-nets", disable=None):
        backbone = bundle.trained.subnet(i)
        features = embed(backbone, images, protocol.embed, device)
        for name, score in scores.items():
            found[name].append(score(features, targets))
        found["linear"].append(evaluate_task(str(i), backbone, task, protocol, device)["linear"])
    return judge(found) | {"subnets": found}


def judge(found: dict[str, list[float]]) -> dict:
    """Compare each score of the sub-nets with their linear scores.

    Args:
        found: each of `SCORES`, and "linear" (percent, on the test split) → a value for each sub-net.

    Returns:
        scores: name → tau, the weighted Kendall rank correlation (Vigna 2015: agreement about the best counts most; None
            where all values are equal, or there is one), and regret, the points of linear score that the sub-net of the highest score
            falls short of the best one. chance: the mean regret of a sub-net drawn at random.
    """
    from scipy.stats import weightedtau

    linear = np.array(found["linear"])
    scores = {}
    for name in SCORES:
        tau = float(weightedtau(found[name], linear).statistic) if len(linear) > 1 else np.nan
        scores[name] = {
            "tau": None if np.isnan(tau) else tau,
            "regret": float(linear.max() - linear[int(np.argmax(found[name]))]),
        }
    return {"scores": scores, "chance": float(linear.max() - linear.mean())}
