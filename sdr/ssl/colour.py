"""Colour jitter and blur with one random value an image, after torchvision's ColorJitter and GaussianBlur.

Pictures are changed in place: they stay in a core's cache. All functions are in TorchScript's part of Python (sdr/ssl/views.py
says why).
"""

import torch
from torch import Tensor


def luminance(x: Tensor) -> Tensor:
    """`N×3×H×W` in [0, 1] → its grey picture `N×1×H×W`: ITU-R 601, as torchvision and PIL."""
    grey = x[:, 0] * 0.2989
    return grey.add_(x[:, 1], alpha=0.587).add_(x[:, 2], alpha=0.114).unsqueeze(1)


def jitter(x: Tensor, change: Tensor, order: list[int]) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image by its own amounts.

    Args:
        x: `N×3×H×W` in [0, 1].
        change: `N×4`: factors are 1 + change, the hue turns by change; 0 leaves an image as it is.
        order: of the four, without what changes no image. torchvision draws an order for each image; here one holds for the
            batch, so that each image's distribution is the same.
    """
    amounts = change.t().reshape(4, -1, 1, 1, 1)
    for i in order:
        if i == 0:
            x = adjust_brightness(x, 1 + amounts[0])
        elif i == 1:
            x = adjust_contrast(x, 1 + amounts[1])
        elif i == 2:
            x = adjust_saturation(x, 1 + amounts[2])
        elif i == 3:
            x = adjust_hue(x, amounts[3])
    return x


def adjust_brightness(x: Tensor, factor: Tensor) -> Tensor:
    """`N×3×H×W` in [0, 1], factor `N×1×1×1`."""
    return x.mul_(factor).clamp_(0, 1)


def adjust_contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean luminance of the image; factor `N×1×1×1`."""
    mean = luminance(x.mean((2, 3), keepdim=True))  # N×1×1×1
    return x.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 1)  # `lerp` is slow where two of three are broadcast


def adjust_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image; factor `N×1×1×1`."""
    return torch.lerp(luminance(x), x, factor, out=x).clamp_(0, 1)


def adjust_hue(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue by `turns` (`N×1×1×1`, in [−0.5, 0.5]) in HSV space.

    With the hue h in sixths of a turn, the channels are V − C + C · clamp(|h − 3| − 1, 0, 1) for red, and
    V − C · clamp(|h − c| − 1, 0, 1) for green, c = 2, and blue, c = 4. Turned back, whichever channel is the greatest,
    |h| = 1 + (g + b − r − (V − C)) / C on the circle, towards green where g > b.
    """
    r, g, b = x.unbind(1)
    high, low = torch.maximum(torch.maximum(r, g), b), torch.minimum(torch.minimum(r, g), b)  # V, and V − C
    chroma = high - low
    h = (g + b).sub_(r).sub_(low).div_(chroma.clamp(min=1e-12))  # a grey pixel's chroma is 0: its hue does not matter
    h.add_(1).copysign_(g - b)  # N×H×W in [−3, 3]
    h.add_(6 * turns.squeeze(1))
    h.sub_((h / 6).floor_(), alpha=6)  # in [0, 6)
    centres = torch.tensor([3.0, 2.0, 4.0], device=x.device).view(3, 1, 1)
    ramp = (h.unsqueeze(1) - centres).abs_().sub_(1).clamp_(0, 1)  # N×3×H×W
    chroma = chroma.unsqueeze(1)
    torch.addcmul(low.unsqueeze(1), chroma, ramp[:, :1], value=1, out=x[:, :1])
    torch.addcmul(high.unsqueeze(1), chroma, ramp[:, 1:], value=-1, out=x[:, 1:])
    return x


def gaussian_blur(x: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Blur each image `3×H×W` with its own sigma (`N`, pixels, at most `largest`: the kernel reaches three of those), as
    two matrix products; edges are reflected."""
    for dim in (2, 3):
        size = x.shape[dim]
        at = torch.arange(size, device=x.device)
        radius = min(size - 1, int(3 * largest + 0.5))
        tap = torch.arange(-radius, radius + 1, device=x.device)
        kernel = torch.exp(-0.5 * (tap / sigma.view(-1, 1)) ** 2)  # N×taps
        kernel = kernel / kernel.sum(1, keepdim=True)
        source = (at.view(-1, 1) + tap.view(1, -1)).abs()  # size×taps, reflected at the start …
        source = torch.where(source >= size, 2 * (size - 1) - source, source)  # … and at the end
        weights = x.new_zeros([len(x), size, size])
        weights.scatter_add_(2, source.expand(len(x), -1, -1), kernel.unsqueeze(1).expand(-1, size, -1).contiguous())
        x = torch.einsum("nij,ncjk->ncik" if dim == 2 else "nij,nckj->ncki", [weights, x])
    return x
