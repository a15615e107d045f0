"""Look at a network while it is trained: the effective rank of its projections, and kNN on labelled tasks.

No look changes a bit of the training: it works on a copy, draws no random number of torch's, and leaves gradients and modes alone.
In training every batch norm normalises by its batch and keeps nothing, so the copy's statistics are measured on a fixed sample
of the corpus, as calibration does after the training; the rank is that of the same sample. Of several processes the first one
looks and the others wait.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.base.outputs import scratch, write_csv
from sdr.base.params import Section, section_names
from sdr.base.ranks import rank
from sdr.evaluate.knn import leave_one_out
from sdr.evaluate.metrics import score
from sdr.nets.calibrate import calibrate, sample
from sdr.nets.embed import Embedding, evaluation_view, features
from sdr.ssl.simsiam import SimSiam
from sdr.tasks.task import Task
from sdr.train.batches import Images
from sdr.train.schedule import W0
from sdr.train.signs import falling_rank, few_steps, flat_loss
from sdr.train.training import Training

# Prepared tasks, which are no dependency of a training (no weight depends on them): another task must not train anew.
TASKS = Path("artifacts/tasks")
K, TEMPERATURE = 20, 0.07  # as `knn` of params.yaml has them; fixed, so that another k there trains nothing anew
COLUMNS = ("step", "phase", "network", "rank")


class Probing(Section):
    """How often a network is looked at while it is trained, and on what."""

    every: PositiveInt | None
    """Steps from look to look; None: never."""
    images: int = Field(ge=2)
    """Of the corpus, and of each task's training split: at most so many."""
    tasks: list[str]
    """Those that kNN is tried on."""


class Labelled(NamedTuple):
    """Some of a task's training split."""

    task: Task
    images: np.ndarray  # n×S×S×3 uint8
    targets: np.ndarray  # int64 n, or bool n×C


class Probe:
    """Looks every so many steps, and after the last one; tells signs of trouble as they appear, each once.

    Images are shown at the side of a training view, at which a network is at home and a look is cheap.

    Args:
        params: how often, and on what.
        job: the training. As it runs, rows go to `<scratch>/live/STAGE-probe.csv` too.
        data: the images that it is trained on.

    Attributes:
        rows: a row a look: `COLUMNS`, and `knn_TASK`, the task's metric of weighted kNN in percent, each image by the others.
        seconds: spent on looks in this process.

    Raises:
        UserError: a task of `params` is not there, or not prepared.
    """

    def __init__(self, params: Probing, job: Training, data: Images):
        self.rows: list[dict] = []
        self.seconds = 0.0
        self._job, self._every, self._told = job, params.every, set[Callable]()
        self._live = scratch() / "live" / f"{job.stage}-probe.csv"
        self._tell(few_steps, job)
        if self._every is not None:
            seed = job.schedule.seed
            self._tasks = {name: labelled(name, params.images, seed) for name in params.tasks}
            self._corpus = data.read(sample(np.arange(len(data)), params.images, seed))

    def due(self, step: int) -> bool:
        """Whether `look` wants to see the network after this step."""
        last = step + 1 == self._job.schedule.steps
        return self._every is not None and rank() == 0 and (last or (step + 1) % self._every == 0)

    def look(self, step: int, network: int, trained: SimSiam, history: list[dict]) -> None:
        """Add a row.

        Args:
            step, network: which step is done, and the network that it trained: `W0`, or the number of a sub-net.
            trained: that network.
            history: of the losses so far.

        Raises:
            UserError: projections or features are not finite.
        """
        began, side = time.perf_counter(), self._job.views.side
        device = next(trained.parameters()).device
        backbone = copy.deepcopy(trained.backbone)
        encoder = nn.Sequential(backbone, copy.deepcopy(trained.projector))
        z = calibrate(encoder, evaluation_view(self._corpus, side, device))
        row = {
            "step": step,
            "phase": self._job.schedule.phase(step),
            "network": "W0" if network == W0 else str(network),
        }
        row |= {"rank": round(effective_rank(z), 2)}
        how = Embedding(side=side, batch_size=len(self._corpus))
        for name, (task, images, targets) in self._tasks.items():
            x = torch.from_numpy(features(backbone, images, how, device)).to(device)
            votes = leave_one_out(x, targets, len(task.classes), K, TEMPERATURE)
            row[f"knn_{name}"] = round(score(task.metric, votes, targets), 2)
        self.rows.append(row)
        write_csv(self._live, self.rows)
        self._tell(flat_loss, self._job, history)
        self._tell(falling_rank, self._job, self.rows)
        self.seconds += time.perf_counter() - began

    def _tell(self, sign: Callable[..., Iterator[str]], *of: object) -> None:
        for line in sign(*of) if rank() == 0 and sign not in self._told else ():
            self._told.add(sign)
            tqdm.write(f"warning: {line}")  # clear of the progress bar


def write_rows(path: Path, rows: list[dict]) -> None:
    """Write what was seen; the columns alone where nothing was."""
    if rows:
        write_csv(path, rows)
    else:
        path.write_text(",".join(COLUMNS) + "\n")


def labelled(name: str, images: int, seed: int) -> Labelled:
    """At most so many images of the training split of a prepared task; the same ones each time.

    Raises:
        UserError: `tasks` has no such name, or it is not prepared.
    """
    if name not in (known := section_names("tasks")):
        raise UserError(
            f"params.yaml: probe.tasks: `{name}` is not in `tasks`; there are: {', '.join(known) or 'none'}"
        )
    task = Task.open(TASKS / name)
    rows = sample(np.arange(len(task.images("train"))), images, seed)
    return Labelled(task, task.images("train")[rows], task.targets("train")[rows])


def effective_rank(z: Tensor) -> float:
    """RankMe: exp of the entropy of the singular values over their sum (Garrido et al., ICML 2023, Eq. 1).

    Args:
        z: projections `N×P`, neither centred nor normalised, as there.

    Returns:
        From 1, all of them on a line, to min(N, P), all directions alike; 0 where all are 0.

    Raises:
        UserError: `z` is not finite.
    """
    if not torch.isfinite(z).all():
        raise UserError(
            "training stopped: the projections hold NaN or infinity; lower the learning rate in params.yaml"
        )
    values = torch.linalg.svdvals(z.double())
    if not values.any():
        return 0.0
    shares = values / values.sum()
    return math.exp(-torch.xlogy(shares, shares).sum().item())
