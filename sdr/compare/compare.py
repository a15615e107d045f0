"""Networks to compare with: one entry of `compare` in `params.yaml`, told apart by `source`."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from sdr.base.errors import UserError
from sdr.base.params import Section
from sdr.compare.layouts import LAYOUTS

# Columns of the tables and folders of `artifacts/eval`, so no entry of `compare` or `pruned` may have these names.
RESERVED = ("baseline", "w0", "sdr", "ensemble", "votes", "adapted", "gain", "scores", "detection")


def check_own_name(section: str, name: str) -> None:
    """Raise UserError if an entry of `section` is called as one of our own networks or columns."""
    if name in RESERVED:
        raise UserError(f"{section}.{name}: a column of our own tables has this name; choose another one")


# Of the same name and the same keys in torchvision and in timm.
ResNetName = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
]


class Random(Section):
    """A sub-net before any training: the very weights that the baseline starts from.

    Its batch norms hold mean 0 and variance 1, so in evaluation they pass their input on; and the last one of each
    block starts at 0 (timm's `zero_init_last`), so the features are those of the stem and the shortcuts.
    """

    source: Literal["random"]


class RawPixels(Section):
    """The pixels themselves."""

    source: Literal["pixels"]
    side: PositiveInt = 32
    """Images are averaged over boxes to this side."""


class Torchvision(Section):
    """A ResNet of torchvision."""

    source: Literal["torchvision"]
    model: ResNetName
    weights: Literal["DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2"] | None
    """null: drawn from `seed`."""


class Timm(Section):
    """Any model of timm, with its own normalisation and, where that is fixed, its own image size."""

    source: Literal["timm"]
    model: str = Field(pattern=r"^[\w.]+$")
    """With or without a tag; see `timm.list_models(pretrained=True)`."""
    pretrained: bool = True
    """false: drawn from `seed`."""
    img_size: PositiveInt | None = None
    """Another image size of a model that takes one only (ViT)."""


class Checkpoint(Section):
    """A file of somebody else's training, under `$SDR_CHECKPOINTS`."""

    source: Literal["checkpoint"]
    layout: Literal[*LAYOUTS, "timm_local"]
    """How its keys are named; timm_local: a folder for `local-dir:`."""
    file: str
    entry: str | None = None
    """Which network of the file, where it holds several (state_dict_ema, say); null: the only one."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """Of the file; null: not checked."""
    normalise: Literal["imagenet", "none"] | None = None
    """null: as its layout's system was trained."""
    model: ResNetName = "resnet50"
    prefix: str = ""
    """Layout plain: what the keys of the ResNet begin with."""
    drop: list[str] = []
    """Layout plain: keys to leave behind, `*` for anything (heads, optimizers)."""

    @model_validator(mode="after")
    def _check(self) -> "Checkpoint":
        if self.layout != "plain" and (self.prefix or self.drop):
            raise ValueError(f"`prefix` and `drop` are for layout plain, layout {self.layout} has its own")
        return self


CompareSpec = Annotated[Random | RawPixels | Torchvision | Timm | Checkpoint, Field(discriminator="source")]
