"""What `params.yaml` says of the two trainings: the sections `pretrain` and `sdr`."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sdr.base.params import Section
from sdr.corpus.parts import PartName
from sdr.nets.backbone import Width
from sdr.nets.start import RANDOM
from sdr.nets.supernet import Own
from sdr.train.optimizers import Optimization
from sdr.train.schedule import Subsets
from sdr.train.step import Distillation
from sdr.train.training import Init, Source


class Pretrain(Section):
    """The baseline: plain self-supervised learning, of all images at a sub-net's width unless a comparison asks for others."""

    init: str = Field(min_length=1)
    """RANDOM, or what `sdr.compare.start.open_start` takes."""
    init_warmup: float = Field(ge=0, le=1e6)
    """Epochs in which a new head learns alone."""
    epochs: PositiveFloat = Field(le=1e6)
    epoch: Literal["part", "corpus"]
    part: PartName
    width: Width
    optimization: Optimization
    log_every: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "Pretrain":
        if self.init != RANDOM and self.width != "subnet":
            raise ValueError(f"init names a network of a sub-net's width, so width must be subnet, got {self.width}")
        if self.init != RANDOM and self.init_warmup >= self.epochs:
            raise ValueError(
                f"init_warmup must be shorter than the training, {self.epochs:g} epochs, got {self.init_warmup:g}"
            )
        return self


class Sdr(Section):
    """SDRnet. An epoch is N images, whichever networks they train."""

    epochs: PositiveFloat = Field(le=1e6)
    optimization: Optimization
    init: Init
    teacher: Source
    own: Own
    first_phase: float = Field(ge=0, lt=1)
    phase_growth: PositiveFloat = Field(le=1e3)
    w0_share: float = Field(ge=0, lt=1)
    train_teacher: bool
    progressive: bool
    subsets: Subsets
    distill: Literal["siamkd", "l2", "none"]
    distill_views: Literal[1, 2]
    distill_weight: float = Field(ge=0, le=1e6)
    log_every: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "Sdr":
        if self.teacher == "baseline" and self.train_teacher:
            raise ValueError("train_teacher trains W_0, so teacher must be supernet, got baseline")
        if self.teacher == "supernet" and self.distillation.views_taught and not self.trains_w0:
            raise ValueError(
                "W_0 teaches but is never trained (first_phase 0, w0_share 0): take teacher: baseline, or distill: none"
            )
        return self

    @property
    def trains_w0(self) -> bool:
        """Whether any step trains W_0."""
        return self.first_phase > 0 or self.w0_share > 0 or self.train_teacher

    @property
    def distillation(self) -> Distillation:
        """What the sub-nets learn from their teacher."""
        return Distillation(
            loss=self.distill,
            views=self.distill_views,
            weight=self.distill_weight,
            train_teacher=self.train_teacher,
        )
