"""Projector and predictor as published (SimSiam: Chen and He, CVPR 2021, section 4 and appendix A; BYOL: Grill et al.,
NeurIPS 2020, section 3.3; SimCLR: Chen et al., ICML 2020, section 4.2, a projector alone)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveInt

from sdr.base.params import Section

if TYPE_CHECKING:
    from torch import nn


class Heads(Section):
    """Widths of the two heads."""

    projection: PositiveInt
    """Width of the projector's output z."""
    hidden: PositiveInt
    """Width of its layers before that (SimSiam: the same; BYOL: 4096)."""
    layers: PositiveInt
    """Its linear layers (SimSiam: 3; BYOL: 2; SimCLR: 2, v2: 3; 2 for small images)."""
    output_norm: bool
    """A batch norm without affine parameters at its end (SimSiam: yes; BYOL, SimCLR: no)."""
    prediction: PositiveInt
    """Width of the predictor's hidden layer (SimSiam: a quarter of z; BYOL: 4096; SimCLR has none)."""


def projector(features: int, heads: Heads) -> nn.Sequential:
    """Features `N×D` → projections z `N×P`."""
    from torch import nn

    sizes = [features] + [heads.hidden] * (heads.layers - 1) + [heads.projection]
    blocks: list[nn.Module] = []
    for wide, out in zip(sizes[:-2], sizes[1:-1]):
        blocks += [nn.Linear(wide, out, bias=False), nn.BatchNorm1d(out), nn.ReLU(inplace=True)]
    blocks += [nn.Linear(sizes[-2], sizes[-1], bias=False)]
    blocks += [nn.BatchNorm1d(heads.projection, affine=False)] if heads.output_norm else []
    return nn.Sequential(*blocks)


def predictor(heads: Heads) -> nn.Sequential:
    """Projections z `N×P` → predictions p `N×P`."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(heads.projection, heads.prediction, bias=False),
        nn.BatchNorm1d(heads.prediction),
        nn.ReLU(inplace=True),
        nn.Linear(heads.prediction, heads.projection),
    )
