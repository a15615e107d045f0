"""By which training images networks are judged: of a person's own pictures that look alike the first."""

import numpy as np
import pytest

from sdr.corpus.thumbnail import FILE as THUMBNAILS
from sdr.corpus.thumbnail import to_bytes
from sdr.tasks.judged import judged_by, thumbnails
from sdr.tasks.task import Task
from tests.evaluate.tasks import write_task


@pytest.fixture
def looks():
    """Of 30 training and 15 test pictures, none of which look alike: labels take turns, three of them."""
    return np.random.default_rng(0).normal(size=(45, 256))


def judged(folder, looks):
    np.stack([to_bytes(look) for look in looks]).tofile(folder / THUMBNAILS)
    task = Task.open(folder)
    return task, judged_by(task)


def test_copies_leave_and_all_else_stays(tmp_path, looks):
    folder = write_task(tmp_path / "colours")
    looks[9], looks[12] = looks[0] + 0.01 * looks[20], looks[0]  # of one label
    looks[7] = looks[2]  # of two
    looks[33] = looks[3]  # in the test split
    task, (images, targets, left_out) = judged(folder, looks)
    rows = [i for i in range(30) if i not in (9, 12)]
    assert left_out == 2
    assert np.array_equal(images, task.images("train")[rows]) and np.array_equal(targets, task.targets("train")[rows])


def test_a_class_of_one_kind_of_picture_keeps_them(tmp_path, looks):
    looks[0:30:3] = looks[0]
    _, (images, _, left_out) = judged(write_task(tmp_path / "colours"), looks)
    assert (len(images), left_out) == (30, 0)


def test_a_task_without_thumbnails_is_not_compared(tmp_path):
    task = Task.open(write_task(tmp_path / "colours"))
    assert thumbnails(task, "train") is None
    images, targets, left_out = judged_by(task)
    assert isinstance(images, np.memmap) and (len(images), len(targets), left_out) == (30, 30, 0)
