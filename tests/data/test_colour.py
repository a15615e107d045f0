"""Colour changes and blur against torchvision, image by image."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.data import colour
from sdr.train.randomness import torch_rng

factors = st.floats(0.0, 2.0)


def pictures(seed: int, n: int = 3) -> torch.Tensor:
    x = torch.rand(n, 3, 9, 11, generator=torch_rng(seed))
    x[0] = x[0, :1]  # one grey picture: hue is undefined there
    x[1, :, 0] = 0.5
    return x


def each(change, x: torch.Tensor, values: list[float]) -> torch.Tensor:
    return torch.stack([change(image, value) for image, value in zip(x, values)])


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (colour.adjust_brightness, tv.adjust_brightness),
        (colour.adjust_contrast, tv.adjust_contrast),
        (colour.adjust_saturation, tv.adjust_saturation),
    ],
)
@settings(max_examples=15, deadline=None)
@given(values=st.lists(factors, min_size=3, max_size=3), seed=st.integers(0, 99))
def test_factor_an_image(ours, theirs, values, seed):
    x = pictures(seed)
    got = ours(x, torch.tensor(values).view(-1, 1, 1, 1))
    torch.testing.assert_close(got, each(theirs, x, values), rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_hue_an_image(values, seed):
    x = pictures(seed)
    got = colour.adjust_hue(x, torch.tensor(values).view(-1, 1, 1, 1))
    torch.testing.assert_close(got, each(tv.adjust_hue, x, values), rtol=1e-4, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(0.1, 2.0), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_blur_an_image(values, seed):
    x = torch.rand(3, 3, 24, 20, generator=torch_rng(seed))
    got = colour.gaussian_blur(x, torch.tensor(values))
    expected = each(lambda image, s: tv.gaussian_blur(image, [13, 13], [s, s]), x, values)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=2e-3)


def test_images_that_are_not_chosen_stay():
    x = pictures(0, 4)
    apply = torch.tensor([True, False, True, False])
    got = colour.jitter(x, [0.4, 0.4, 0.4, 0.1], apply, torch_rng(1))
    torch.testing.assert_close(got[~apply], x[~apply], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(got[2], x[2], atol=1e-2)
