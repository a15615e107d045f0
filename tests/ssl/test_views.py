"""Views against torchvision: the resampling image by image, the draws in distribution."""

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import v2

from sdr.base.randomness import torch_rng
from sdr.nets.pixels import normalise, unit_interval
from sdr.ssl import views as module
from sdr.ssl.views import (
    Views,
    crop_boxes,
    draw,
    filter_taps,
    make_views,
    part_of,
    resample,
)

VIEWS = Views(
    side=32,
    scale=[0.2, 1.0],
    jitter=[0.4, 0.4, 0.4, 0.1],
    jitter_p=0.8,
    grey_p=0.2,
    blur_p=[0.5, 0.1],
    blur_sigma=[0.1, 2.0],
    solarise_p=[0.0, 0.2],
)


def crop_resize_flip(x, box, flip, size):
    return resample(x, *filter_taps(box, flip, size, *x.shape[2:], len(x)), size)


def pixels(n: int, height: int, width: int | None = None) -> torch.Tensor:
    return torch.randint(0, 256, (n, height, width or height, 3), dtype=torch.uint8, generator=torch_rng(n))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_crop_resize_flip_is_torchvisions(data):
    height, width, size = (data.draw(st.integers(8, 70)) for _ in range(3))
    h, w = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top, left = data.draw(st.integers(0, height - h)), data.draw(st.integers(0, width - w))
    flip = data.draw(st.booleans())
    x = torch.rand(1, 3, height, width)
    expected = tv.resized_crop(x, top, left, h, w, [size, size], antialias=True)
    expected = tv.horizontal_flip(expected) if flip else expected
    got = crop_resize_flip(x, torch.tensor([[top, left, h, w]]), torch.tensor([flip]), size)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(24, 24), (40, 30)])
@pytest.mark.parametrize("images", [1, 3, 7])
def test_images_made_at_a_time_change_no_bit(monkeypatch, shape, images):
    x, drawn = pixels(7, *shape), [draw(7, *shape, VIEWS, i, torch_rng(2, i)) for i in (0, 1)]
    whole = make_views(x, drawn, VIEWS)
    monkeypatch.setattr(module, "CACHE", images * 12 * max(*shape, 32) ** 2)
    assert all(map(torch.equal, make_views(x, drawn, VIEWS), whole))
    alone = [make_views(x[i : i + 1], [part_of(d, i, i + 1) for d in drawn], VIEWS) for i in range(7)]
    assert all(torch.equal(torch.cat(parts), view) for parts, view in zip(zip(*alone), whole))


@pytest.mark.parametrize(
    "how", [{}, {"jitter_p": 0.0}, {"blur_p": [0.0, 0.0], "solarise_p": [0.0, 0.0]}, {"grey_p": 0.0}]
)
def test_a_cpus_views_are_scripted_and_the_same_bits(monkeypatch, how):
    views, x = VIEWS.model_copy(update=how), pixels(40, 48)
    drawn = [draw(40, 48, 48, views, i, torch_rng(3, i)) for i in (0, 1)]
    scripted = make_views(x, drawn, views)
    assert isinstance(module._make_on_cpu, torch.jit.ScriptFunction)
    monkeypatch.setattr(module, "_make_on_cpu", module._make)
    assert all(map(torch.equal, make_views(x, drawn, views), scripted))


def test_without_torchscript_views_are_made_in_python(monkeypatch):
    def breaks(_):
        raise RuntimeError("not supported")

    monkeypatch.setattr("torch.jit.script", breaks)
    assert module._script(module._make) is module._make
    monkeypatch.delattr("torch.jit.script")
    assert module._script(module._make) is module._make


@pytest.mark.parametrize("shape", [(64, 64), (40, 90), (120, 20)])
def test_crops_have_torchvisions_distribution(shape):
    n = 2500
    torch.manual_seed(0)
    reference = torch.tensor(
        [
            v2.RandomResizedCrop.make_params(v2.RandomResizedCrop(8, (0.2, 1.0)), [torch.empty(3, *shape)])[k]
            for _ in range(n)
            for k in ("top", "left", "height", "width")
        ]
    ).view(n, 4)
    ours = crop_boxes(n, *shape, [0.2, 1.0], torch_rng(1))
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], reference[:, column]).pvalue > 1e-3
    assert (ours[:, 0] + ours[:, 2] <= shape[0]).all() and (ours[:, 1] + ours[:, 3] <= shape[1]).all()
    assert (ours[:, :2] >= 0).all() and (ours[:, 2:] >= 1).all()


@pytest.mark.parametrize("which, blur, solarise", [(0, 0.5, 0.0), (1, 0.1, 0.2)])
def test_views_have_torchvisions_distribution(which, blur, solarise):
    """Per-image mean, deviation and colourfulness of whole views: two-sample tests against the published pipelines."""
    rng = np.random.default_rng(0)
    base = tv.resize(torch.from_numpy(rng.integers(0, 256, (1, 3, 12, 12), dtype=np.uint8)), [64, 64], antialias=True)
    images = base.expand(1500, -1, -1, -1)
    reference = v2.Compose(
        [
            v2.RandomResizedCrop(32, (0.2, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.0))], p=blur),
            v2.RandomSolarize(0.5, p=solarise),
        ]
    )
    torch.manual_seed(0)
    theirs = normalise(torch.stack([reference(image) for image in images]))
    [ours] = make_views(images.permute(0, 2, 3, 1), [draw(1500, 64, 64, VIEWS, which, torch_rng(3))], VIEWS)

    def measures(x: torch.Tensor) -> list[torch.Tensor]:
        edges = (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))
        mirror = (x * torch.linspace(-1, 1, 32)).mean((1, 2, 3))
        return [x.mean((1, 2, 3)), x.std((1, 2, 3)), x.std(1).mean((1, 2)), x[:, 0].mean((1, 2)), edges, mirror]

    for a, b in zip(measures(ours), measures(theirs)):
        assert stats.ks_2samp(a, b).pvalue > 1e-3


def test_solarised_pixels_are_turned_over_where_they_are_bright():
    x = pixels(40, 12)
    only = VIEWS.model_copy(update={"solarise_p": [0.0, 0.5], "jitter_p": 0.0, "grey_p": 0.0, "blur_p": [0.0, 0.0]})
    drawn = draw(40, 12, 12, only, 1, torch_rng(0))
    plain = crop_resize_flip(unit_interval(x), drawn.box, drawn.flip, 32)
    expected = torch.stack([tv.solarize(a, 0.5) if yes else a for a, yes in zip(plain, drawn.solarise)])
    assert 5 < drawn.solarise.sum() < 35
    torch.testing.assert_close(make_views(x, [drawn], only), [normalise(expected)])


def test_views_are_a_function_of_the_generators_key():
    draws = [draw(6, 20, 20, VIEWS, 0, torch_rng(*key)) for key in [(0, 5), (0, 5), (0, 6)]]
    first, again, other = make_views(pixels(6, 20), draws, VIEWS)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (6, 3, 32, 32) and first.is_contiguous(memory_format=torch.channels_last)


def test_a_part_of_a_batch_sees_what_it_sees_in_the_whole():
    x, drawn = pixels(9, 20), draw(9, 20, 20, VIEWS, 0, torch_rng(1))
    [whole], [part] = make_views(x, [drawn], VIEWS), make_views(x[3:7], [part_of(drawn, 3, 7)], VIEWS)
    torch.testing.assert_close(part, whole[3:7], rtol=1e-5, atol=1e-5)


def test_what_changes_no_image_is_not_in_the_order():
    """Where a strength is 0, or chance leaves all images out."""
    order = [
        draw(9, 8, 8, VIEWS.model_copy(update={"jitter": [0.4, 0.0, 0.4, 0.0]}), 0, torch_rng(i)).order
        for i in range(9)
    ]
    assert all(set(row.tolist()) == {0, 2, -1} and (row == rows[0]).all() for rows in order for row in rows)
    none = draw(9, 8, 8, VIEWS.model_copy(update={"jitter_p": 0.0}), 0, torch_rng(0))
    assert (none.order == -1).all() and not none.change.any()


def test_unit_interval():
    images = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)  # one pixel
    torch.testing.assert_close(unit_interval(images), torch.tensor([[[[0.0]], [[0.2]], [[1.0]]]]))


def test_unknown_or_mistyped_fields_are_refused():
    with pytest.raises(ValueError, match="sizes"):
        Views(**VIEWS.model_dump(), sizes=3)
    with pytest.raises(ValueError, match="grey_p"):
        Views(**(VIEWS.model_dump() | {"grey_p": 1.5}))
