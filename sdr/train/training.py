"""All that a training depends on but the images themselves."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sdr.base.errors import UserError
from sdr.base.ranks import world
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.nets.supernet import Own
from sdr.ssl.byol import Target
from sdr.ssl.method import CLASSES, Method
from sdr.ssl.simclr import Contrast
from sdr.ssl.views import Views
from sdr.train.compute import Compute
from sdr.train.optimizers import Optimization
from sdr.train.schedule import Schedule, cosine
from sdr.train.step import Distillation, Rates

Init = Literal["random", "baseline"]
Source = Literal["supernet", "baseline"]


@dataclass(frozen=True)
class Training:
    """Of a super-net and its sub-nets (paper, Algorithm 1), or with no sub-net of a baseline.

    Attributes:
        stage: its name in messages.
        subsets: the image indices of D_1 … D_k, a sub-net each; D_0 is the union of all images.
        images: N, the size of D_0.
        init: what weights start from; `baseline`: every path of the super-net computes what the baseline does.
        own: what each sub-net has for itself, not as slices of W_0's.
        teacher: which network the sub-nets are distilled from: W_0 as it is then, or the baseline as it is.
        head_steps: at the start, in which projector and predictor learn alone: new ones behind a backbone that has learnt.
    """

    stage: str
    method: Method
    target: Target
    contrast: Contrast
    spec: Backbone
    heads: Heads
    views: Views
    optimization: Optimization
    schedule: Schedule
    images: int
    compute: Compute
    subsets: list[np.ndarray] = field(default_factory=list)
    distillation: Distillation | None = None
    init: Init = "random"
    teacher: Source = "supernet"
    own: Own = "none"
    head_steps: int = 0
    log_every: int = 10

    @property
    def needs_baseline(self) -> bool:
        """Whether a trained baseline takes part."""
        return "baseline" in (self.init, self.teacher)

    @property
    def warmup(self) -> int:
        """Steps in which the learning rate rises."""
        return round(self.optimization.warmup_epochs * self.images / self.optimization.batch_size)

    def rates(self, step: int) -> Rates:
        """Learning rates and target momentum of a step. Where the backbone joins, the learning rate begins anew."""
        steps, peak = self.schedule.steps, self.optimization.peak
        alone = step < self.head_steps
        begin = 0 if alone else self.head_steps
        encoder = peak * cosine(step - begin, steps - begin, self.warmup)
        fixed = CLASSES[self.method].fixed_predictor_lr
        return Rates(encoder, peak if fixed else encoder, self.target.at(step, steps), alone)

    def check(self, parts: int) -> None:
        """Raise UserError where a step could not be computed, with a process' batch passing in so many `parts`."""
        mine = self.optimization.batch_size // world()
        if mine % parts:
            raise UserError(
                f"a batch of {mine} images a process cannot be cut into compute.…accumulate = {parts} equal parts: change "
                "one of them"
            )
        images = mine // parts
        if images < 2 and (self.method == "simclr" or world() == 1):
            raise UserError(
                f"{self.stage}: {images} image a process and part of the batch: batch norms and the contrast with other "
                "images (method simclr) need two; raise batch_size, or start fewer processes, or lower "
                "compute.…accumulate"
            )
        for number, subset in enumerate(self.subsets):
            if len(subset) < 2:
                raise UserError(
                    f"{self.stage}: cluster {number} holds {len(subset)} image(s), and a sub-net needs two at least: "
                    "raise cluster.min_share or lower n_subnets"
                )
