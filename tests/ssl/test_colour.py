"""Colour changes and blur against torchvision, image by image."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.randomness import torch_rng
from sdr.ssl import colour

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
    got = ours(x.clone(), torch.tensor(values).view(-1, 1, 1, 1))
    torch.testing.assert_close(got, each(theirs, x, values), rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_hue_an_image(values, seed):
    x = pictures(seed)
    got = colour.adjust_hue(x.clone(), torch.tensor(values).view(-1, 1, 1, 1))
    torch.testing.assert_close(got, each(tv.adjust_hue, x, values), rtol=1e-4, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(0.1, 2.0), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_blur_an_image(values, seed):
    x = torch.rand(3, 3, 24, 20, generator=torch_rng(seed))
    got = colour.gaussian_blur(x, torch.tensor(values), 2.0)
    expected = each(lambda image, s: tv.gaussian_blur(image, [13, 13], [s, s]), x, values)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=2e-3)


def test_images_that_are_not_chosen_stay():
    x = pictures(0, 4)
    change = torch.tensor([[0.3, -0.2, 0.4, 0.1], [0, 0, 0, 0], [-0.4, 0.1, 0.2, -0.1], [0, 0, 0, 0]])
    got = colour.jitter(x.clone(), change, [2, 0, 3, 1])
    torch.testing.assert_close(got[1::2], x[1::2], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(got[2], x[2], atol=1e-2)


def test_the_order_is_kept():
    x, change = pictures(0), torch.tensor([[0.4, -0.4, 0.0, 0.0]] * 3)
    first = colour.adjust_contrast(
        colour.adjust_brightness(x.clone(), 1 + change[:, :1, None, None]), 1 + change[:, 1:2, None, None]
    )
    torch.testing.assert_close(colour.jitter(x.clone(), change, [0, 3, 1, 2]), first)
    assert not torch.allclose(colour.jitter(x.clone(), change, [1, 0, 2, 3]), first, atol=1e-2)


def test_what_is_not_in_the_order_is_left_out():
    x, change = pictures(0), torch.full((3, 4), 0.3)
    alone = colour.adjust_saturation(x.clone(), 1 + change[:, 2:3, None, None])
    assert torch.equal(colour.jitter(x.clone(), change, [-1, 2, -1, -1]), alone)
    assert torch.equal(colour.jitter(x.clone(), change, []), x)
