"""Colour jitter and blur with one random value an image, after torchvision's ColorJitter and GaussianBlur."""

import torch
from torch import Tensor

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision and PIL


def luminance(x: Tensor) -> Tensor:
    """`N×3×H×W` in [0, 1] → its grey picture `N×1×H×W`."""
    return torch.einsum("nchw,c->nhw", x, x.new_tensor(_LUMA)).unsqueeze(1)


def jitter(x: Tensor, strength: list[float], apply: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue of the images where `apply` (`N` bool).

    Factors are uniform in [1 − s, 1 + s], the hue shift in [−s, s] turns. torchvision draws the order of the four
    for each image; here one order holds for the batch, so that each image's distribution is the same.
    """
    n = len(x)
    draws = 2 * torch.rand(4, n, generator=generator) - 1
    brightness, contrast, saturation, hue = (
        torch.where(apply, (draw * s).to(x.device), torch.zeros((), device=x.device)).view(-1, 1, 1, 1)
        for draw, s in zip(draws, strength)
    )
    changes = [
        lambda y: adjust_brightness(y, 1 + brightness),
        lambda y: adjust_contrast(y, 1 + contrast),
        lambda y: adjust_saturation(y, 1 + saturation),
        lambda y: adjust_hue(y, hue),
    ]
    for i in torch.randperm(4, generator=generator).tolist():
        if strength[i] > 0:
            x = changes[i](x)
    return x


def adjust_brightness(x: Tensor, factor: Tensor) -> Tensor:
    """`N×3×H×W` in [0, 1], factor `N×1×1×1`."""
    return (x * factor).clamp(0, 1)


def adjust_contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean luminance of the image; factor `N×1×1×1`."""
    return torch.lerp(luminance(x).mean((2, 3), keepdim=True), x, factor).clamp(0, 1)


def adjust_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image; factor `N×1×1×1`."""
    return torch.lerp(luminance(x), x, factor).clamp(0, 1)


def adjust_hue(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue by `turns` (`N×1×1×1`, in [−0.5, 0.5]) in HSV space."""
    high, low = x.amax(1, keepdim=True), x.amin(1, keepdim=True)  # value V, and V − chroma
    chroma = high - low
    r, g, b = x.unbind(1)
    safe = torch.where(chroma > 0, chroma, 1).squeeze(1)
    sector = torch.where(
        high.squeeze(1) == r, (g - b) / safe, torch.where(high.squeeze(1) == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )  # hue in sixths of a turn, N×H×W
    hue = sector.unsqueeze(1) + 6 * turns
    offset = x.new_tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1)
    k = (offset + hue) % 6
    return high - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def gaussian_blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image `3×H×W` with its own sigma (`N`, pixels), as two matrix products; edges are reflected."""
    for dim in (2, 3):
        size = x.shape[dim]
        at = torch.arange(size, device=x.device)
        radius = min(size - 1, int(3 * float(sigma.max()) + 0.5)) if len(x) else 0
        tap = torch.arange(-radius, radius + 1, device=x.device)
        kernel = torch.exp(-0.5 * (tap / sigma.view(-1, 1)) ** 2)  # N×taps
        kernel = kernel / kernel.sum(1, keepdim=True)
        source = (at.view(-1, 1) + tap.view(1, -1)).abs()  # size×taps, reflected at the start …
        source = torch.where(source >= size, 2 * (size - 1) - source, source)  # … and at the end
        weights = x.new_zeros(len(x), size, size)
        weights.scatter_add_(2, source.expand(len(x), -1, -1), kernel.unsqueeze(1).expand(-1, size, -1).contiguous())
        x = torch.einsum("nij,ncjk->ncik" if dim == 2 else "nij,nckj->ncki", weights, x)
    return x
