"""Batches as functions of (seed, t), and an image's way into the model."""

import threading
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from sdr.base.errors import UserError
from sdr.detect.batches import Batches, Item, decoded, model_input, trainable, training_example
from sdr.detect.components import resized_shape
from tests.detect.toys import Rectangles

CPU = torch.device("cpu")
VOC_SIDES = list(range(480, 801, 32))


def plan(batches: Batches, steps: range) -> list[list[tuple]]:
    return [[(item.annotation.id, item.flip, item.size) for item in batches(t)] for t in steps]


def test_a_batch_is_a_function_of_seed_and_iteration():
    toys = Rectangles(20).all
    one, two, other = (Batches(toys, 4, VOC_SIDES, 0.5, seed, "x") for seed in (0, 0, 1))
    assert plan(one, range(10)) == plan(two, range(9, -1, -1))[::-1]  # in whatever order they are asked for
    assert plan(one, range(10)) != plan(other, range(10))


def test_every_image_comes_equally_often_and_shapes_are_not_mixed():
    toys = Rectangles(21).all  # 7 are higher than wide
    batches = Batches(toys, 3, VOC_SIDES, 0.5, 0)
    seen: Counter = Counter()
    for t in range(63):
        batch = batches(t)
        assert len({item.annotation.width > item.annotation.height for item in batch}) == 1
        seen.update(item.annotation.id for item in batch)
    assert set(seen) == {a.id for a in toys} and set(seen.values()) == {9}
    wide = [item.annotation.id for t in range(7) for item in batches(t) if item.annotation.width == 96]
    assert len(set(wide[:14])) == 14 and wide != sorted(wide)  # once each before any comes again, in random order


def test_a_kind_with_fewer_images_than_a_batch_is_repeated():
    toys = Rectangles(3).all  # two wide, one high
    batches = [Batches(toys, 4, [64], 0.0, 0)(t) for t in range(3)]
    assert Counter(item.annotation.id for batch in batches for item in batch) == {a.id: 4 for a in toys}


def test_sizes_and_flips_are_drawn_for_each_image():
    batches = Batches(Rectangles(30).all, 16, VOC_SIDES, 0.5, 3)
    items = [item for t in range(200) for item in batches(t)]
    sizes = Counter(item.size for item in items)
    assert sorted(sizes) == VOC_SIDES and min(sizes.values()) > 0.8 * len(items) / len(VOC_SIDES)
    assert np.mean([item.flip for item in items]) == pytest.approx(0.5, abs=0.03)
    assert len({item.size for item in batches(0)}) > 1 and len({item.flip for item in batches(0)}) > 1
    assert not any(item.flip for item in Batches(Rectangles(30).all, 16, [64], 0.0, 3)(0))


@pytest.mark.parametrize(
    ("height", "width", "short", "expected"),
    [
        (375, 500, 800, (800, 1067)),  # 1066.67 is rounded
        (500, 375, 480, (640, 480)),
        (333, 500, 800, (800, 1201)),
        (200, 500, 800, (533, 1333)),  # the long side is limited
        (1, 500, 800, (3, 1333)),
        (1, 5000, 800, (1, 1333)),
    ],
)
def test_shapes_are_those_of_the_reference(height, width, short, expected):
    assert resized_shape(height, width, short, 1333) == expected


def test_resizing_is_pils_antialiased_bilinear():
    toys = Rectangles(1, seed=5)
    (annotation,) = toys.all
    x, _ = training_example(toys.image(annotation.id), Item(annotation, False, 41), 96, CPU)
    theirs = Image.fromarray(toys.image(annotation.id)).resize((x.shape[2], x.shape[1]), Image.BILINEAR)
    np.testing.assert_allclose(x.permute(1, 2, 0).numpy() * 255, np.asarray(theirs), atol=1.0)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("size", [72, 100])
def test_boxes_follow_the_pixels(flip, size):
    toys = Rectangles(0)
    image = np.zeros((72, 96, 3), np.uint8)
    image[10:30, 5:25] = 255
    toys.add(image, [[5, 10, 25, 30]], [2])
    x, target = training_example(image, Item(toys.all[0], flip, size), 300, CPU)
    assert min(x.shape[1:]) == size and target["labels"].tolist() == [2]
    left, top, right, bottom = (round(v) for v in target["boxes"][0].tolist())
    inside = x[:, top + 1 : bottom - 1, left + 1 : right - 1]
    outside = x.clone()
    outside[:, max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 0
    assert inside.min() > 0.9 and outside.max() < 0.1
    assert toys.all[0].boxes.tolist() == [[5, 10, 25, 30]]  # the data are as before


def test_images_without_objects_are_left_out_and_difficult_ones_stay():
    toys = Rectangles(2)
    toys.add(np.zeros((72, 96, 3), np.uint8), [], [])
    toys.all[0].difficult[:] = True
    assert trainable(toys.all, 3, "train") == toys.all[:2]
    with pytest.raises(UserError, match="split train"):
        trainable(toys.all[2:], 3, "train")


def test_the_next_batch_is_decoded_while_this_one_is_used():
    toys = Rectangles(4)
    started = [threading.Event() for _ in toys.all]

    class Watched:
        def image(self, id: str) -> np.ndarray:
            started[int(id[-3:])].set()
            return toys.image(id)

    batches = [[Item(a, False, 64) for a in toys.all[i : i + 2]] for i in (0, 2)]
    for batch, (items, images) in zip(batches, decoded(Watched(), batches)):
        assert items == batch
        assert all(np.array_equal(image, toys.image(item.annotation.id)) for item, image in zip(batch, images))
        assert all(event.wait(10) for event in started)  # the second batch too, before it is asked for


def test_a_picture_that_cannot_be_decoded_is_an_error_not_a_hang():
    toys = Rectangles(3)
    del toys.images["toy/001"]
    with pytest.raises(KeyError):
        list(decoded(toys, [[Item(a, False, 64)] for a in toys.all]))


def test_the_model_is_fed_floats_in_the_unit_interval():
    x = model_input(np.array([[[0, 128, 255]]], np.uint8), CPU)
    assert x.dtype == torch.float32 and x.flatten().tolist() == pytest.approx([0, 128 / 255, 1])
