"""The two trainings of the pipeline, in terms of their parameters: the baseline, and SDR."""

from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import numpy as np

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.byol import Target
from sdr.ssl.method import Method
from sdr.ssl.simclr import Contrast
from sdr.ssl.start import Start
from sdr.ssl.views import Views
from sdr.train.compute import Compute
from sdr.train.optimizers import Optimization
from sdr.train.schedule import Schedule, subsets
from sdr.train.settings import Pretrain, Sdr
from sdr.train.training import Training


@dataclass(frozen=True)
class Common:
    """What both trainings share: the parameters of these names."""

    method: Method
    byol: Target
    simclr: Contrast
    backbone: Backbone
    heads: Heads
    views: Views
    compute: Compute
    seed: int

    @classmethod
    def of(cls, params: dict[str, Any]) -> "Common":
        """From what `sdr.base.params.load` gave, which may be more."""
        return cls(**{field.name: params[field.name] for field in fields(cls)})

    def training(self, stage: str, spec: Backbone, **others: Any) -> Training:
        """A training with these."""
        return Training(
            stage=stage,
            method=self.method,
            target=self.byol,
            contrast=self.simclr,
            spec=spec,
            heads=self.heads,
            views=self.views,
            compute=self.compute,
            **others,
        )


COMMON: dict[str, Any] = get_type_hints(Common)
"""Their names and types, for `sdr.base.params.load`."""


def baseline(params: Pretrain, common: Common, part: int, corpus: int, start: Start | None = None) -> Training:
    """The baseline's method on `part` of the `corpus` images: a super-net that is its only sub-net.

    Args:
        start: what it goes on from; a new head then learns alone at first. `train` takes its network.
    """
    images = part if params.epoch == "part" else corpus
    schedule = Schedule(_steps(params.epochs, images, params.optimization), 1, 1, 1.0, 1.0, 1.0, True, common.seed)
    return common.training(
        "pretrain",
        common.backbone.single(params.width),
        optimization=params.optimization,
        schedule=schedule,
        images=images,
        init="baseline" if start else "random",
        head_steps=_steps(params.init_warmup, images, params.optimization) if start and start.new_head else 0,
        log_every=params.log_every,
    )


def sdr(params: Sdr, common: Common, assignment: np.ndarray, n_subnets: int) -> Training:
    """Algorithm 1 on the clusters `assignment` (`N` int64)."""
    images = len(assignment)
    schedule = Schedule(
        steps=_steps(params.epochs, images, params.optimization),
        n_subnets=n_subnets,
        groups=common.backbone.groups,
        first_phase=params.first_phase,
        phase_growth=params.phase_growth,
        w0_share=params.w0_share,
        progressive=params.progressive,
        seed=common.seed,
    )
    return common.training(
        "train_sdr",
        common.backbone,
        optimization=params.optimization,
        schedule=schedule,
        images=images,
        subsets=subsets(assignment, n_subnets, params.subsets, common.seed),
        distillation=params.distillation,
        init=params.init,
        teacher=params.teacher,
        own=params.own,
        log_every=params.log_every,
    )


def _steps(epochs: float, images: int, params: Optimization) -> int:
    return max(1, round(epochs * images / params.batch_size)) if epochs else 0
