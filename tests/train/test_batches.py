"""What each step is given, and that it is ready in time and in nobody's way."""

import threading
import time

import numpy as np
import pytest
import torch

from sdr.base.randomness import torch_rng
from sdr.ssl.views import draw, make_views
from sdr.train.batches import AHEAD, Batches, both_views
from sdr.train.pairs import Pairs
from sdr.train.schedule import W0
from tests.train.toys import CPU, VIEWS, Noise, sdr_job


def batches(data, start=0, resident=False, size=8, **changes):
    job = sdr_job(**changes)
    return Batches(data, job.subsets, job.schedule, size, VIEWS, start, CPU, resident, Pairs(CPU, wanted=False)), job


def pictures(data, images: torch.Tensor) -> list[int]:
    flat = data.images.reshape(len(data), -1)
    return [int((flat == image.numpy().reshape(-1)).all(1).nonzero()[0][0]) for image in images]


@pytest.mark.parametrize("resident", [False, True])
def test_a_step_has_images_of_its_networks_cluster(resident):
    data = Noise()
    made, job = batches(data, resident=resident)
    with made as steps:
        for number, (batch, _) in enumerate(steps):
            rows = pictures(data, batch.images)
            assert batch.step == number and batch.network == job.schedule.network(number)
            if batch.network == W0:
                assert len(set(rows)) == 8  # without replacement
            else:
                assert {row % 4 for row in rows} == {batch.network}
    assert number == 19


def test_a_cluster_smaller_than_a_batch_is_drawn_from_with_replacement():
    data = Noise(16)
    made, job = batches(data, images=16, epochs=10.0)
    with made as steps:
        for batch, _ in steps:
            rows = pictures(data, batch.images)
            assert len(rows) == 8 and (batch.network == W0 or len(set(rows)) <= 4)


def test_going_on_gives_the_same_batches():
    with batches(Noise())[0] as steps:
        whole = list(steps)
    with batches(Noise(), start=13)[0] as steps:
        rest = list(steps)
    assert [b.step for b, _ in rest] == list(range(13, 20))
    for (a, views), (b, again) in zip(whole[13:], rest, strict=True):
        assert torch.equal(a.images, b.images) and all(torch.equal(c.box, d.box) for c, d in zip(a.draws, b.draws))
        assert all(map(torch.equal, views, again))


def test_views_are_those_of_the_batch():
    with batches(Noise())[0] as steps:
        batch, views = next(steps)
    assert all(map(torch.equal, views, make_views(batch.images, list(batch.draws), VIEWS)))
    assert not torch.equal(*views)


def test_processes_share_one_batch(monkeypatch):
    """The parts of 4 processes are the batch of one, views and all."""
    whole = batches(Noise())[0].make(9)
    parts = []
    monkeypatch.setenv("WORLD_SIZE", "4")
    for rank in range(4):
        monkeypatch.setenv("RANK", str(rank))
        parts.append(batches(Noise())[0].make(9))
    assert torch.equal(torch.cat([p.images for p in parts]), whole.images)
    for i in (0, 1):
        for name in ("box", "flip", "change", "grey", "sigma", "solarise"):
            assert torch.equal(torch.cat([getattr(p.draws[i], name) for p in parts]), getattr(whole.draws[i], name))
        expected = draw(8, 16, 16, VIEWS, i, torch_rng(0, "views", 9, i + 1))
        assert torch.equal(whole.draws[i].box, expected.box)


class Counted(Noise):
    """Counts the batches that were read."""

    def __init__(self):
        super().__init__()
        self.batches, self.made = 0, threading.Semaphore(0)

    def read(self, indices):
        found = super().read(indices)
        self.batches += 1
        self.made.release()
        return found

    def wait(self, n: int) -> None:
        for _ in range(n):
            assert self.made.acquire(timeout=300)


def test_the_next_batches_are_made_meanwhile():
    """Whoever takes a batch finds the next ones made before asking for them, and no more."""
    data = Counted()
    with batches(data)[0] as steps:
        data.wait(AHEAD)
        for taken in (1, 2, 3):
            next(steps)
            data.wait(1)
            time.sleep(0.1)
            assert data.batches == taken + AHEAD


def test_no_batch_is_made_while_the_views_of_another_are(monkeypatch):
    data, seen = Counted(), []

    def watched(*args):
        before = data.batches
        time.sleep(0.1)
        seen.append(data.batches - before)
        return make_views(*args)

    monkeypatch.setattr("sdr.train.batches.make_views", watched)
    with batches(data)[0] as steps:
        data.wait(AHEAD)
        for _ in range(3):
            next(steps)
            data.wait(1)
    assert seen == [0] * 3


@pytest.mark.parametrize("n", [2, 7, 64])
def test_half_of_the_images_beside_the_other_are_the_same_bits(two_threads, n):
    images = torch.randint(0, 256, (n, 24, 24, 3), dtype=torch.uint8)
    drawn = tuple(draw(n, 24, 24, VIEWS, i, torch_rng(0, i)) for i in (0, 1))
    with Pairs(CPU) as beside:
        assert beside.side_by_side
        views = both_views(images, drawn, VIEWS, beside)
    assert all(map(torch.equal, views, both_views(images, drawn, VIEWS, Pairs(CPU, wanted=False))))
    assert all(view.is_contiguous(memory_format=torch.channels_last) for view in views)


def test_an_error_while_reading_comes_out_and_the_thread_ends():
    class Broken(Noise):
        def read(self, indices):
            raise OSError("gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="gone"), batches(Broken())[0] as steps:
        next(steps)
    assert threading.active_count() == before


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    with batches(Noise())[0] as steps:
        next(steps)
    assert threading.active_count() == before


def test_two_steps_have_different_images():
    a, b = (batches(Noise())[0].make(step) for step in (0, 1))
    assert not np.array_equal(a.images, b.images)
