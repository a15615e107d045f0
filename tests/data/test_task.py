import numpy as np
import pytest

from sdr.data.task import Task, encode
from sdr.errors import UserError


def test_class_numbers_follow_the_sorted_names():
    np.testing.assert_array_equal(encode(["dog", "ant", "dog"], ["ant", "cat", "dog"], False), [2, 0, 2])


def test_several_labels_become_a_row_of_flags():
    targets = encode(["dog;ant", "", "cat"], ["ant", "cat", "dog"], True)
    assert targets.dtype == bool
    np.testing.assert_array_equal(targets, [[1, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_an_unprepared_task_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="not found; run `dvc repro prepare_task@birds`"):
        Task.open(tmp_path / "birds")
