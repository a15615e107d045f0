"""The two trainings of the pipeline, in terms of their parameters: the baseline, and SDR."""

from typing import Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from sdr.data.views import Views
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.params import Section
from sdr.train.loop import Distillation, Optimization, Training
from sdr.train.schedule import Schedule
from sdr.train.subsets import Subsets, subsets


class Pretrain(Section):
    """The baseline: SimSiam on all images, at a sub-net's width."""

    epochs: PositiveFloat
    optimization: Optimization
    log_every: PositiveInt


class Sdr(Section):
    """SDRnet. An epoch is N images, whichever networks they train."""

    epochs: PositiveFloat
    optimization: Optimization
    first_phase: float = Field(gt=0, lt=1)
    phase_growth: PositiveFloat
    w0_share: float = Field(ge=0, lt=1)
    progressive: bool
    subsets: Subsets
    distill: Literal["siamkd", "l2", "none"]
    distill_views: Literal[1, 2]
    distill_weight: PositiveFloat
    log_every: PositiveInt


def baseline(params: Pretrain, spec: Backbone, heads: Heads, views: Views, images: int, seed: int) -> Training:
    """SimSiam on `images` images: a super-net that is its only sub-net."""
    schedule = Schedule(_steps(params.epochs, images, params.optimization), 1, 1, 1.0, 1.0, 1.0, True, seed)
    return Training(
        spec.single(), heads, views, params.optimization, schedule, images, log_every=params.log_every
    )


def sdr(
    params: Sdr, spec: Backbone, heads: Heads, views: Views, assignment: np.ndarray, n_subnets: int, seed: int
) -> Training:
    """Algorithm 1 on the clusters `assignment` (`N` int64)."""
    images = len(assignment)
    schedule = Schedule(
        steps=_steps(params.epochs, images, params.optimization),
        n_subnets=n_subnets,
        groups=spec.groups,
        first_phase=params.first_phase,
        phase_growth=params.phase_growth,
        w0_share=params.w0_share,
        progressive=params.progressive,
        seed=seed,
    )
    distillation = Distillation(
        loss=params.distill, views=params.distill_views, weight=params.distill_weight
    )
    parts = subsets(assignment, n_subnets, params.subsets, seed)
    return Training(
        spec, heads, views, params.optimization, schedule, images, parts, distillation, params.log_every
    )


def _steps(epochs: float, images: int, params: Optimization) -> int:
    return max(1, round(epochs * images / params.batch_size))
