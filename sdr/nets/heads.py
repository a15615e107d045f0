"""Projector and predictor as published (SimSiam: Chen and He, CVPR 2021, section 4 and appendix A)."""

from pydantic import PositiveInt
from torch import nn

from sdr.params import Section


class Heads(Section):
    """Widths of the two heads."""

    projection: PositiveInt  # width of the projector's layers and of its output z
    prediction: PositiveInt  # width of the predictor's bottleneck
    layers: PositiveInt  # linear layers of the projector (SimSiam: 3; 2 for small images)


def projector(features: int, heads: Heads) -> nn.Sequential:
    """Features `N×D` → projections z `N×P`; the last batch norm has no affine parameters."""
    sizes = [features] + [heads.projection] * heads.layers
    blocks: list[nn.Module] = []
    for i, (wide, out) in enumerate(zip(sizes, sizes[1:])):
        last = i == heads.layers - 1
        blocks += [nn.Linear(wide, out, bias=False), nn.BatchNorm1d(out, affine=not last)]
        blocks += [] if last else [nn.ReLU(inplace=True)]
    return nn.Sequential(*blocks)


def predictor(heads: Heads) -> nn.Sequential:
    """Projections z `N×P` → predictions p `N×P`, through a bottleneck."""
    return nn.Sequential(
        nn.Linear(heads.projection, heads.prediction, bias=False),
        nn.BatchNorm1d(heads.prediction),
        nn.ReLU(inplace=True),
        nn.Linear(heads.prediction, heads.projection),
    )
