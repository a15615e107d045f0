"""Parameters of detection: the detector and its fine-tuning, and routing by short fine-tunes.

The numbers that all profiles share are constants of `sdr.detect.detector` and `sdr.detect.finetune`.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sdr.base.params import Section

N_LEVELS = 5  # P2 … P6


class Routing(Section):
    """Which sub-nets compete for a detection set, and for how long."""

    proxy_images: PositiveInt  # training images whose boxes are pooled for the proxy score, at most
    proxy_side: PositiveInt  # short side of those images, pixels
    keep: PositiveInt  # sub-nets that go on to fine-tuning by their proxy score
    explore: int = Field(ge=0)  # … and so many more drawn at random
    rungs: list[PositiveInt] = Field(min_length=1)  # iterations after which the candidates are compared
    survivors: list[PositiveInt]  # how many go on from each rung but the last
    val_images: PositiveInt  # images of the split "val" that they are compared on, at most

    @model_validator(mode="after")
    def _check(self) -> "Routing":
        if sorted(set(self.rungs)) != self.rungs:
            raise ValueError(f"rungs must increase, got {self.rungs}")
        if len(self.survivors) != len(self.rungs) - 1:
            raise ValueError(f"survivors needs one number fewer than rungs ({self.rungs}), got {self.survivors}")
        if sorted(self.survivors, reverse=True) != self.survivors:
            raise ValueError(f"survivors must not increase, got {self.survivors}")
        return self


class Detector(Section):
    """Faster R-CNN FPN and its fine-tuning. Sizes and anchors are in pixels, the schedule in iterations."""

    # batch norms: fixed as they are | trained, over the whole batch, and in the FPN too
    norm: Literal["frozen", "sync"]
    precise_bn: int = Field(ge=0)  # sync: batches that its statistics are measured on before an evaluation
    train_sizes: list[PositiveInt] = Field(min_length=1)  # short sides, one drawn for each image
    test_size: PositiveInt  # short side
    max_size: PositiveInt  # long side, at most
    channels: PositiveInt  # of the FPN
    hidden: PositiveInt  # units of each of the box head's two layers
    anchors: list[PositiveInt] = Field(min_length=N_LEVELS, max_length=N_LEVELS)  # side on each level
    canonical: PositiveInt  # side of the boxes pooled from P4; twice as large ones are pooled from P5
    rpn_batch: PositiveInt  # anchors that the loss sees, an image
    roi_batch: PositiveInt  # boxes that the loss sees, an image
    pre_nms: list[PositiveInt] = Field(min_length=2, max_length=2)  # proposals a level: training, test
    post_nms: list[PositiveInt] = Field(min_length=2, max_length=2)  # proposals an image: training, test
    iterations: PositiveInt
    batch: PositiveInt  # images an iteration
    accumulate: PositiveInt  # parts in which a batch passes through the network
    lr: PositiveFloat = Field(le=1000)
    steps: list[PositiveInt]  # iterations from which the learning rate is a tenth
    warmup: int = Field(ge=0)  # iterations of linear warm-up from lr / 1000
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0, le=1)  # of all but the parameters of batch norms
    bf16: bool  # compute in bfloat16 where it is safe; on a GPU only
    log_every: PositiveInt  # iterations between two rows of the history
    routing: Routing

    @model_validator(mode="after")
    def _check(self) -> "Detector":
        if self.batch % self.accumulate:
            raise ValueError(f"a batch of {self.batch} images cannot be cut into {self.accumulate} equal parts")
        if self.norm == "sync" and self.accumulate > 1:
            raise ValueError("accumulate must be 1 with norm: sync: its statistics are those of the whole batch")
        if self.norm == "sync" and self.batch < 2:
            raise ValueError("norm: sync needs a batch of at least 2 images")
        if self.norm == "sync" and self.precise_bn == 0:
            raise ValueError("precise_bn must be positive with norm: sync")
        if sorted(set(self.steps)) != self.steps or self.steps and self.steps[-1] >= self.iterations:
            raise ValueError(f"steps must increase and end before {self.iterations} iterations, got {self.steps}")
        if max(*self.train_sizes, self.test_size) > self.max_size:
            raise ValueError(f"max_size {self.max_size} is less than a short side")
        if self.routing.rungs[-1] > self.iterations:
            raise ValueError(f"the last rung must not exceed {self.iterations} iterations, got {self.routing.rungs}")
        return self
