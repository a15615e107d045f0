"""What each step is given, and that it is ready in time."""

import threading
import time

import numpy as np
import pytest
import torch

from sdr.data.views import draw
from sdr.train.batches import Batches
from sdr.train.randomness import torch_rng
from sdr.train.schedule import W0
from tests.train.toys import CPU, VIEWS, Noise, sdr_job


def batches(data, start=0, resident=False, size=8, **changes):
    job = sdr_job(**changes)
    return Batches(data, job.subsets, job.schedule, size, VIEWS, start, CPU, resident), job


def pictures(data, images: torch.Tensor) -> list[int]:
    flat = data.images.reshape(len(data), -1)
    return [int((flat == image.numpy().reshape(-1)).all(1).nonzero()[0][0]) for image in images]


@pytest.mark.parametrize("resident", [False, True])
def test_a_step_has_images_of_its_networks_cluster(resident):
    data = Noise()
    made, job = batches(data, resident=resident)
    with made as steps:
        for number, batch in enumerate(steps):
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
        for batch in steps:
            rows = pictures(data, batch.images)
            assert len(rows) == 8 and (batch.network == W0 or len(set(rows)) <= 4)


def test_going_on_gives_the_same_batches():
    with batches(Noise())[0] as steps:
        whole = list(steps)
    with batches(Noise(), start=13)[0] as steps:
        rest = list(steps)
    assert [b.step for b in rest] == list(range(13, 20))
    for a, b in zip(whole[13:], rest, strict=True):
        assert torch.equal(a.images, b.images) and all(torch.equal(c.box, d.box) for c, d in zip(a.draws, b.draws))


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


def test_the_next_batch_is_made_meanwhile():
    """Whoever takes a batch finds the next two made before asking for them, and no more."""
    data, made = Noise(), threading.Semaphore(0)
    read = data.read

    def counted(rows):
        found = read(rows)
        made.release()
        return found

    data.read = counted
    with batches(data)[0] as steps:
        next(steps)
        for _ in range(3):  # the first, and two that wait
            assert made.acquire(timeout=30)
        time.sleep(0.2)
        assert 10**9 - data.fuse <= 5  # one in the thread's hand at most


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
