"""The random views of SimSiam (Chen and He, CVPR 2021, appendix A) and BYOL (Grill et al., NeurIPS 2020, appendix B),
made in a batch on the training device.

Each image has its own random parameters, drawn from torchvision's distributions as a function of (seed, step, place
in the batch); whoever holds a part of the batch draws for all of it and takes that part. Crop, resize and flip are one
linear map an axis, with the antialiased bilinear weights of torchvision's `resize`.

On a CPU TorchScript runs the same functions, to the same bits, without Python's lock: of two threads that make views by some hundred
small operations each waited for the other half of the time.
"""

import math
import warnings
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from sdr.base.params import Section
from sdr.nets.pixels import normalise_, unit_interval
from sdr.ssl import colour

CACHE = 1536 << 10  # bytes of pixels whose views a CPU makes at a time, about what a core's cache holds on the way
Chance = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Sigma = Annotated[float, Field(gt=0, le=100)]


class Views(Section):
    """The distribution τ of augmentations."""

    side: PositiveInt = Field(ge=8)
    """Of a view, pixels."""
    scale: list[Share] = Field(min_length=2, max_length=2)
    """Share of the image's area that a crop covers."""
    jitter: list[Chance] = Field(min_length=4, max_length=4)
    """Brightness, contrast, saturation, hue (at most 0.5)."""
    jitter_p: float = Field(ge=0, le=1)
    grey_p: float = Field(ge=0, le=1)
    blur_p: list[Chance] = Field(min_length=2, max_length=2)
    """Of the first view and of the second."""
    blur_sigma: list[Sigma] = Field(min_length=2, max_length=2)
    """Pixels of the view."""
    solarise_p: list[Chance] = Field(min_length=2, max_length=2)
    """Of the first view and of the second."""

    @model_validator(mode="after")
    def _check(self) -> "Views":
        for name, (low, high) in {"scale": self.scale, "blur_sigma": self.blur_sigma}.items():
            if low > high:
                raise ValueError(f"{name} is a range, the smaller number first, got {[low, high]}")
        if self.jitter[3] > 0.5:
            raise ValueError(f"jitter's last number, of the hue, is at most 0.5, got {self.jitter[3]}")
        return self


class Draws(NamedTuple):
    """The random parameters of one view of each of `N` images, on the CPU."""

    box: Tensor  # N×4: top, left, height, width in pixels of the image
    flip: Tensor  # N bool
    change: Tensor  # N×4: of brightness, contrast, saturation, hue; 0: none
    order: Tensor  # N×4: the order of the four, one for the batch; −1 stands for one that changes none of its images
    grey: Tensor  # N bool
    sigma: Tensor  # N, of the blur in pixels of the view; 0: none
    solarise: Tensor  # N bool


def part_of(draws: Draws, first: int, last: int) -> Draws:
    """Those of some images."""
    return Draws(
        draws.box[first:last],
        draws.flip[first:last],
        draws.change[first:last],
        draws.order[first:last],
        draws.grey[first:last],
        draws.sigma[first:last],
        draws.solarise[first:last],
    )


def draw(n: int, height: int, width: int, views: Views, which: Literal[0, 1], generator: torch.Generator) -> Draws:
    """Draw the parameters of the first or the second view of `n` images of `height`×`width` pixels."""

    def chance(p: float) -> Tensor:  # N bool
        return torch.rand(n, generator=generator) < p

    box, flip = crop_boxes(n, height, width, views.scale, generator), chance(0.5)
    jittered = chance(views.jitter_p)
    change = (2 * torch.rand(4, n, generator=generator) - 1) * torch.tensor(views.jitter).view(4, 1)
    order = torch.randperm(4, generator=generator)
    grey, sigma, solarise = chance(views.grey_p), torch.zeros(n), torch.zeros(n, dtype=torch.bool)
    if views.blur_p[which] > 0:
        low, high = views.blur_sigma
        sigma = low + (high - low) * torch.rand(n, generator=generator)
        sigma = torch.where(chance(views.blur_p[which]), sigma, 0)
    if views.solarise_p[which] > 0:
        solarise = chance(views.solarise_p[which])
    change = torch.where(jittered, change, 0).T
    order = torch.where(change.any(0)[order], order, -1).expand(n, 4)
    return Draws(box, flip, change, order, grey, sigma, solarise)


def make_views(images: Tensor, draws: list[Draws], views: Views, out: list[Tensor] | None = None) -> list[Tensor]:
    """Make the drawn views of each image.

    Args:
        images: `N×H×W×3` uint8, on any device.
        draws: for these images, one for each view.
        views: what they were drawn from.
        out: where the views go, as of `empty_views`.

    Returns:
        `N×3×S×S` float32 in channels_last layout, normalised, one for each view.
    """
    n, cpu = len(images), images.device.type == "cpu"
    out = [empty_views(n, views.side, images.device) for _ in draws] if out is None else out
    side = max(*images.shape[1:3], views.side)
    together = max(1, CACHE // (12 * side**2)) if cpu else n
    (_make_on_cpu if cpu else _make)(out, images, draws, together, views.blur_sigma[1])
    return out


def empty_views(n: int, size: int, device: torch.device) -> Tensor:
    """Room for `n` views, `n×3×size×size` float32 in channels_last layout."""
    return torch.empty(n, 3, size, size, device=device, memory_format=torch.channels_last)


def _make(out: list[Tensor], images: Tensor, draws: list[Draws], together: int, largest_sigma: float) -> None:
    """Make views, of `together` images at a time. What was drawn is on the CPU, and looked through there without a wait for the
    device."""
    n, height, width, _ = images.shape
    size, device = out[0].shape[3], images.device
    taps = [filter_taps(drawn.box.to(device), drawn.flip.to(device), size, height, width, together) for drawn in draws]
    for first in range(0, n, together):
        last = min(first + together, n)
        x = unit_interval(images[first:last])
        for view, drawn, (line, weight) in zip(out, draws, taps):
            part = part_of(drawn, first, last)
            y = resample(x, line[:, first * size : last * size], weight[:, first * size : last * size], size)
            view[first:last] = normalise_(_recolour(y, part, largest_sigma))


def _recolour(x: Tensor, draws: Draws, largest_sigma: float) -> Tensor:
    """Jitter, grey, blur and solarise; `N×3×H×W` in [0, 1], changed in place."""
    order: list[int] = draws.order[0].tolist()
    x = colour.jitter(x, draws.change.to(x.device), order)
    rows = draws.grey.nonzero()[:, 0].to(x.device)
    x.index_copy_(0, rows, colour.luminance(x.index_select(0, rows)).expand(-1, 3, -1, -1))
    blurred = draws.sigma.nonzero()[:, 0]
    if len(blurred) > 0:
        rows = blurred.to(x.device)
        x[rows] = colour.gaussian_blur(x[rows], draws.sigma[blurred].to(x.device), largest_sigma)
    if bool(draws.solarise.any()):
        x = torch.where(draws.solarise.to(x.device).view(-1, 1, 1, 1) & (x >= 0.5), 1 - x, x)
    return x


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


def filter_taps(box: Tensor, flip: Tensor, size: int, height: int, width: int, together: int) -> tuple[Tensor, Tensor]:
    """Crop, resize and flip as the lines of an image, and their weights, that make a line of a view: the antialiased triangle
    filter of torchvision's `resized_crop`, then `hflip`.

    Args:
        box: `N×4`, of images of `height`×`width` pixels.
        flip: `N` bool.
        size: of a view.
        together: images whose lines are numbered through.

    Returns:
        `2×(N·size)×taps` each, for rows and for columns: numbers of lines, int64, and weights, float32, of sum 1.
    """
    n = len(box)
    start, length = box.t().reshape(2, 2, n, 1).unbind()  # 2×N×1: of rows and of columns
    flipped = torch.stack([torch.zeros_like(flip), flip]).unsqueeze(2)
    scale = length / size  # lines in a line out
    reach = scale.clamp(min=1)  # of the filter
    out = torch.arange(0.5, size, device=box.device)
    centre = torch.where(flipped, size - out, out) * scale  # 2×N×size, in lines of the crop
    n_taps = int(math.ceil(2 * max(1.0, max(height, width) / size)))  # as many as the filter can reach
    at = (centre - reach - 0.5).ceil_() + torch.arange(n_taps, device=box.device).view(-1, 1, 1, 1)  # taps×2×N×size
    inside = torch.minimum(at.clamp(min=0), length - 1)
    distance = (
        (at + 0.5 - centre).abs_().div_(reach)
    )  # of the reach; past the crop's border, its image's end, more than 1
    weight = (1 - distance.add_((at - inside).abs_())).clamp_(min=0)
    weight /= weight.sum(0)
    image = torch.arange(n, device=box.device) % together
    line = inside.add_(start).long().add_(torch.stack([height * image, width * image]).unsqueeze(2))
    shape = [n_taps, 2, n * size]
    return line.view(shape).permute(1, 2, 0).contiguous(), weight.view(shape).permute(1, 2, 0).contiguous()


def resample(x: Tensor, line: Tensor, weight: Tensor, size: int) -> Tensor:
    """`N×3×H×W`, fastest in channels_last layout, and `filter_taps` → `N×3×size×size`.

    A line that comes out is the sum of a few that go in: an embedding bag, which is several times as fast as a product
    with the matrix of all weights, nearly all of them 0.
    """
    n, _, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(n * height, width * 3)
    rows = F.embedding_bag(line[0], rows, per_sample_weights=weight[0], mode="sum")  # (N·S)×(W·3)
    columns = rows.view(n, size, width, 3).permute(0, 2, 3, 1).reshape(n * width, 3 * size)
    columns = F.embedding_bag(line[1], columns, per_sample_weights=weight[1], mode="sum")  # (N·S)×(3·S)
    return columns.view(n, size, 3, size).permute(0, 2, 3, 1).contiguous()


def _script(function: Callable) -> Callable:
    """In TorchScript, which is deprecated: nothing else needs neither Python's lock nor a compiler. Where it is gone, or does not
    know a new Python, the function as it is, slower and to the same bits."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.script(function)
    except Exception:  # noqa: BLE001 - whatever it fails with
        return function


_make_on_cpu = _script(_make)
