"""Backbones are timm's ResNets; the super-net and its sub-nets differ in their widths alone (paper, section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from sdr.base.params import Section
from sdr.nets.paths import N_STAGES

if TYPE_CHECKING:  # timm costs as much to import as torch: only to build a network
    from timm.models.resnet import ResNet

EXPANSION = {"basic": 1, "bottleneck": 4}  # of timm's blocks
Width = Literal["subnet", "supernet"]


class Backbone(Section):
    """Widths, depths and stem. The channels of a stage are `[shared | g1 | … | gG]`."""

    block: Literal["basic", "bottleneck"]
    layers: list[PositiveInt] = Field(min_length=N_STAGES, max_length=N_STAGES)
    """Blocks a stage."""
    shared: list[PositiveInt] = Field(min_length=N_STAGES, max_length=N_STAGES)
    """Planes all sub-nets use."""
    group: list[int] = Field(min_length=N_STAGES, max_length=N_STAGES)
    """Planes of one individual group."""
    groups: PositiveInt
    """Individual groups a stage."""
    stem_type: Literal["", "deep", "deep_tiered"]
    """timm's names."""
    stem_width: PositiveInt
    avg_down: bool = False
    """Shortcuts that halve the side average before they convolve (ResNet-D); networks made before lack it."""

    @model_validator(mode="after")
    def _check(self) -> Backbone:
        if min(self.group) < 0:
            raise ValueError(f"group widths must not be negative, got {self.group}")
        stem = 2 * self.stem_width if self.stem_type else 64
        sub, sup = (widths[0] * self.expansion for widths in (self.subnet_widths, self.supernet_widths))
        if sub != sup and stem in (sub, sup):
            # timm omits the first shortcut's convolution where the widths agree: W_0 and W_i would differ in kind.
            raise ValueError(
                f"the stem's {stem} channels must differ from the first stage's {sub} and {sup}, or all sub-nets share that stage "
                "(a group of 0)"
            )
        return self

    @property
    def expansion(self) -> int:
        """Channels that a block puts out, over its planes."""
        return EXPANSION[self.block]

    @property
    def subnet_widths(self) -> tuple[int, ...]:
        """Planes a stage of one sub-net: shared and one group."""
        return tuple(s + g for s, g in zip(self.shared, self.group))

    @property
    def supernet_widths(self) -> tuple[int, ...]:
        """Planes a stage of the super-net W_0: shared and all groups."""
        return tuple(s + self.groups * g for s, g in zip(self.shared, self.group))

    @property
    def n_paths(self) -> int:
        """How many sub-nets there can be: groups^stages, of the stages from the first one on that has a group at all."""
        return self.groups ** sum(any(self.group[: stage + 1]) for stage in range(N_STAGES))

    def single(self, width: Width = "subnet") -> Backbone:
        """A network without any choice, a super-net that is its only sub-net: the baseline, of either's width."""
        widths = self.subnet_widths if width == "subnet" else self.supernet_widths
        return self.model_copy(update={"shared": list(widths), "group": [0] * N_STAGES, "groups": 1})


def resnet(spec: Backbone, widths: tuple[int, ...]) -> ResNet:
    """Build timm's ResNet of these widths without a classifier: images `N×3×H×W` → pooled features `N×D`."""
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet

    block: Any = BasicBlock if spec.block == "basic" else Bottleneck  # timm's annotation says a block, not its class
    return ResNet(
        block,
        tuple(spec.layers),
        num_classes=0,
        channels=widths,
        stem_type=spec.stem_type,
        stem_width=spec.stem_width,
        avg_down=spec.avg_down,
    )
