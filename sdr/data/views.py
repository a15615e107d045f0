"""The random views of SimSiam (Chen and He, CVPR 2021, appendix A) and BYOL (Grill et al., NeurIPS 2020, appendix B),
made in a batch on the training device.

Each image has its own random parameters, drawn from torchvision's distributions as a function of (seed, step, place
in the batch); whoever holds a part of the batch draws for all of it and takes that part. Crop, resize and flip are one
linear map an axis, with the antialiased bilinear weights of torchvision's `resize`.
"""

import math
from dataclasses import dataclass, fields
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor

from sdr.data import colour
from sdr.params import Section

# ImageNet's statistics, which timm and torchvision take as the default for inputs in [0, 1].
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
CACHE = 512 << 10  # bytes of pixels that a CPU resamples at a time, so that they stay in its core's cache on the way
Chance = Annotated[float, Field(ge=0, le=1)]


class Views(Section):
    """The distribution τ of augmentations."""

    size: PositiveInt = Field(ge=8)  # side of a view, pixels
    scale: list[float] = Field(min_length=2, max_length=2)  # share of the image's area that a crop covers
    jitter: list[float] = Field(min_length=4, max_length=4)  # brightness, contrast, saturation, hue
    jitter_p: float = Field(ge=0, le=1)
    grey_p: float = Field(ge=0, le=1)
    blur_p: list[Chance] = Field(min_length=2, max_length=2)  # of the first view and of the second
    blur_sigma: list[float] = Field(min_length=2, max_length=2)  # pixels of the view
    solarise_p: list[Chance] = Field(min_length=2, max_length=2)  # of the first view and of the second


@dataclass(frozen=True)
class Draws:
    """The random parameters of one view of each of `N` images, on the CPU."""

    box: Tensor  # N×4: top, left, height, width in pixels of the image
    flip: Tensor  # N bool
    change: Tensor  # N×4: of brightness, contrast, saturation, hue; 0: none
    order: Tensor  # N×4: the order of the four, one for the batch
    grey: Tensor  # N bool
    sigma: Tensor  # N, of the blur in pixels of the view; 0: none
    solarise: Tensor  # N bool

    def part(self, rows: slice) -> "Draws":
        """Those of some images."""
        return Draws(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw(n: int, height: int, width: int, views: Views, which: Literal[0, 1], generator: torch.Generator) -> Draws:
    """Draw the parameters of the first or the second view of `n` images of `height`×`width` pixels."""

    def chance(p: float) -> Tensor:  # N bool
        return torch.rand(n, generator=generator) < p

    box, flip = crop_boxes(n, height, width, views.scale, generator), chance(0.5)
    jittered = chance(views.jitter_p)
    change = (2 * torch.rand(4, n, generator=generator) - 1) * torch.tensor(views.jitter).view(4, 1)
    order = torch.randperm(4, generator=generator).expand(n, 4)
    grey, sigma, solarise = chance(views.grey_p), torch.zeros(n), torch.zeros(n, dtype=torch.bool)
    if views.blur_p[which] > 0:
        low, high = views.blur_sigma
        sigma = low + (high - low) * torch.rand(n, generator=generator)
        sigma = torch.where(chance(views.blur_p[which]), sigma, 0)
    if views.solarise_p[which] > 0:
        solarise = chance(views.solarise_p[which])
    return Draws(box, flip, torch.where(jittered, change, 0).T, order, grey, sigma, solarise)


def unit_interval(images: Tensor) -> Tensor:
    """`N×H×W×3` uint8 → `N×3×H×W` float32 in [0, 1], in channels_last layout: the images' own, which needs no copy."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def normalise(x: Tensor) -> Tensor:
    """Subtract the mean and divide by the deviation of each channel; `N×3×H×W` in [0, 1], channels_last out."""
    mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean).div_(std).contiguous(memory_format=torch.channels_last)


def make_view(x: Tensor, draws: Draws, views: Views) -> Tensor:
    """Make the drawn view of each image.

    Args:
        x: `N×3×H×W` float32 in [0, 1], on any device.
        draws: for these images.
        views: what they were drawn from.

    Returns:
        `N×3×S×S` float32 in channels_last layout, normalised.
    """
    x = crop_resize_flip(x, draws.box.to(x.device), draws.flip.to(x.device), views.size)
    x = colour.jitter(x, draws.change, draws.order[0].tolist())
    grey = draws.grey.nonzero()[:, 0].to(x.device)  # found on the CPU, where the draws are: no wait for the device
    x.index_copy_(0, grey, colour.luminance(x.index_select(0, grey)).expand(-1, 3, -1, -1))
    blurred = draws.sigma.nonzero()[:, 0]
    if len(blurred):
        rows = blurred.to(x.device)
        x[rows] = colour.gaussian_blur(x[rows], draws.sigma[blurred].to(x.device), views.blur_sigma[1])
    if draws.solarise.any():
        x = torch.where(draws.solarise.to(x.device).view(-1, 1, 1, 1) & (x >= 0.5), 1 - x, x)
    return normalise(x)


def crop_boxes(n: int, height: int, width: int, scale: list[float], generator: torch.Generator) -> Tensor:
    """Draw `N×4` crops (top, left, height, width), as torchvision's RandomResizedCrop: area uniform in `scale`,
    log aspect uniform in log [3/4, 4/3], ten tries, then the whole centre at the nearest allowed aspect."""
    tries = 10
    area = height * width * torch.empty(n, tries).uniform_(*scale, generator=generator)
    ratio = torch.empty(n, tries).uniform_(math.log(3 / 4), math.log(4 / 3), generator=generator).exp()
    w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()  # N×tries
    fits = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = fits.to(torch.uint8).argmax(1, keepdim=True)
    aspect = min(max(width / height, 3 / 4), 4 / 3)
    full_w, full_h = min(width, round(height * aspect)), min(height, round(width / aspect))
    found = fits.any(1)
    w = torch.where(found, w.gather(1, first)[:, 0], full_w)
    h = torch.where(found, h.gather(1, first)[:, 0], full_h)
    place = torch.rand(n, 2, generator=generator)
    top, left = (place[:, 0] * (height - h + 1)).floor(), (place[:, 1] * (width - w + 1)).floor()
    centre_top, centre_left = (height - full_h) // 2, (width - full_w) // 2
    top, left = torch.where(found, top, centre_top), torch.where(found, left, centre_left)
    return torch.stack([top, left, h, w], dim=1)


def crop_resize_flip(x: Tensor, box: Tensor, flip: Tensor, size: int) -> Tensor:
    """Crop each image to its box, resize to `size` (antialiased bilinear), mirror where `flip`.

    `N×3×H×W`, fastest in channels_last layout, `N×4` boxes, `N` bool → `N×3×S×S`, equal to torchvision's `resized_crop`
    and `hflip`.
    """
    n, _, height, width = x.shape
    together = n if x.device.type != "cpu" else max(1, CACHE // (12 * max(height, size) * max(width, size)))
    start, length = box.t().reshape(2, 2, n)  # of rows and of columns
    line, weight = filter_taps(start, length, torch.stack([torch.zeros_like(flip), flip]), size, [height, width], together)
    out = x.new_empty(n, 3, size, size)
    for first in range(0, n, together):
        part = x[first : first + together].permute(0, 2, 3, 1)
        b, at = len(part), slice(first * size, (first + together) * size)
        rows = part.reshape(b * height, width * 3)
        rows = F.embedding_bag(line[0, at], rows, per_sample_weights=weight[0, at], mode="sum")  # (B·S)×(W·3)
        columns = rows.view(b, size, width, 3).permute(0, 2, 3, 1).reshape(b * width, 3 * size)
        columns = F.embedding_bag(line[1, at], columns, per_sample_weights=weight[1, at], mode="sum")  # (B·S)×(3·S)
        out[first : first + together] = columns.view(b, size, 3, size).permute(0, 2, 3, 1)
    return out


def filter_taps(
    start: Tensor, length: Tensor, flip: Tensor, size: int, pixels: list[int], together: int
) -> tuple[Tensor, Tensor]:
    """Lines and weights that map `length` lines from `start` of each image onto `size` with a triangle filter, from the last to
    the first where `flip` (bool); all `A×N`, for A axes at once.

    A line that comes out is the sum of a few that go in: an embedding bag, which is several times as fast as a product
    with the matrix of all weights, nearly all of them 0.

    Args:
        pixels: lines of an image, one number an axis.
        together: images whose lines are numbered through.

    Returns:
        `A×(N·size)×taps` each: numbers of lines, int64, and weights, float32, of sum 1.
    """
    axes, n = start.shape
    start, length, flip = (t.unsqueeze(2) for t in (start, length, flip))
    scale = length / size  # lines in a line out
    reach = scale.clamp(min=1)  # of the filter
    out = torch.arange(0.5, size, device=start.device)
    centre = torch.where(flip, size - out, out) * scale  # A×N×size, in lines of the crop
    taps = torch.arange(math.ceil(2 * max(1, max(pixels) / size)), device=start.device)  # as many as the filter can reach
    at = (centre - reach - 0.5).ceil_() + taps.view(-1, 1, 1, 1)  # taps×A×N×size
    inside = torch.minimum(at.clamp(min=0), length - 1)
    distance = (at + 0.5 - centre).abs_().div_(reach)  # of the reach; past the crop's border, its image's end, more than 1
    weight = (1 - distance.add_((at - inside).abs_())).clamp_(min=0)
    weight /= weight.sum(0)
    image = torch.arange(n, device=start.device) % together
    line = inside.add_(start).long().add_(torch.stack([p * image for p in pixels]).unsqueeze(2))
    return tuple(t.view(len(taps), axes, -1).permute(1, 2, 0).contiguous() for t in (line, weight))
