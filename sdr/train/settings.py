"""What `params.yaml` says of the two trainings: the sections `pretrain` and `sdr`."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sdr.base.params import Section
from sdr.corpus.parts import PartName
from sdr.nets.backbone import Width
from sdr.train.optimizers import Optimization
from sdr.train.subsets import Subsets


class Pretrain(Section):
    """The baseline: plain self-supervised learning, of all images at a sub-net's width unless a comparison asks for others."""

    epochs: PositiveFloat = Field(le=1e6)
    epoch: Literal["part", "corpus"]
    part: PartName
    width: Width
    optimization: Optimization
    log_every: PositiveInt


class Sdr(Section):
    """SDRnet. An epoch is N images, whichever networks they train."""

    epochs: PositiveFloat = Field(le=1e6)
    optimization: Optimization
    first_phase: float = Field(gt=0, lt=1)
    phase_growth: PositiveFloat = Field(le=1e3)
    w0_share: float = Field(ge=0, lt=1)
    train_teacher: bool
    progressive: bool
    subsets: Subsets
    distill: Literal["siamkd", "l2", "none"]
    distill_views: Literal[1, 2]
    distill_weight: PositiveFloat = Field(le=1e6)
    log_every: PositiveInt
