"""Parameters of detection: the detector and its fine-tuning, and routing by short fine-tunes.

The numbers that all profiles share are constants of `sdr.detect.detector` and `sdr.detect.finetune`.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sdr.base.params import Section

N_LEVELS = 5  # P2 … P6


class Routing(Section):
    """Which sub-nets compete for a detection set, and for how long."""

    proxy_images: PositiveInt
    """Training images whose boxes are pooled for the proxy score, at most."""
    proxy_side: PositiveInt
    """Short side of those images, pixels."""
    keep: PositiveInt
    """Sub-nets that go on to fine-tuning by their proxy score."""
    explore: int = Field(ge=0)
    """Others that go on, drawn at random."""
    rungs: list[PositiveInt] = Field(min_length=1)
    """Iterations after which the candidates are compared."""
    survivors: list[PositiveInt]
    """How many go on from each rung but the last."""
    val_images: PositiveInt
    """Images of the split "val" that they are compared on, at most."""

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

    norm: Literal["frozen", "sync"]
    """Batch norms: fixed as they are | trained, over the whole batch, and in the FPN too."""
    precise_bn: int = Field(ge=0)
    """sync: batches that its statistics are measured on before an evaluation."""
    train_sizes: list[PositiveInt] = Field(min_length=1)
    """Short sides, one drawn for each image."""
    test_size: PositiveInt
    """Short side."""
    max_size: PositiveInt
    """Long side, at most."""
    channels: PositiveInt
    """Of the FPN."""
    hidden: PositiveInt
    """Units of each of the box head's two layers."""
    anchors: list[PositiveInt] = Field(min_length=N_LEVELS, max_length=N_LEVELS)
    """Side on each level."""
    canonical: PositiveInt
    """Side of the boxes pooled from P4; twice as large ones are pooled from P5."""
    rpn_batch: PositiveInt
    """Anchors that the loss sees, an image."""
    roi_batch: PositiveInt
    """Boxes that the loss sees, an image."""
    pre_nms: list[PositiveInt] = Field(min_length=2, max_length=2)
    """Proposals a level: training, test."""
    post_nms: list[PositiveInt] = Field(min_length=2, max_length=2)
    """Proposals an image: training, test."""
    iterations: PositiveInt
    batch: PositiveInt
    """Images an iteration."""
    accumulate: PositiveInt
    """Pieces in which a batch passes through the network."""
    lr: PositiveFloat = Field(le=1000)
    steps: list[PositiveInt]
    """Iterations from which the learning rate is a tenth."""
    warmup: int = Field(ge=0)
    """Iterations of linear warm-up from lr / 1000."""
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0, le=1)
    """Of all but the parameters of batch norms."""
    bf16: bool
    """Compute in bfloat16 where it is safe; on a GPU only."""
    log_every: PositiveInt
    """Iterations between two rows of the history."""
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
