import numpy as np
import pytest
from pydantic import ValidationError

from sdr.base.errors import UserError
from sdr.base.names import check_name
from sdr.tasks.task import Task, TaskSpec, encode


def test_class_numbers_follow_the_sorted_names():
    np.testing.assert_array_equal(encode(["dog", "ant", "dog"], ["ant", "cat", "dog"], False), [2, 0, 2])


def test_several_labels_become_a_row_of_flags():
    targets = encode(["dog;ant", "", "cat"], ["ant", "cat", "dog"], True)
    assert targets.dtype == bool
    np.testing.assert_array_equal(targets, [[1, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_an_unprepared_task_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="not found; run `dvc repro prepare_task@birds`"):
        Task.open(tmp_path / "birds")


@pytest.mark.parametrize("name", ["pets", "my-task_2", "_a", "7up", "a_"])
def test_names_that_dvc_can_use(name):
    check_name("tasks", name)


@pytest.mark.parametrize("name", ["a/b", "two words", "voc07.12", "2007", "", "a__b", "é", "a\n", "a;b", ".."])
def test_other_names_are_told(name):
    with pytest.raises(UserError, match="tasks: name .*: use letters, digits"):
        check_name("tasks", name)


def test_a_task_downloads_nothing_and_is_complete_unless_it_says_so():
    spec = TaskSpec(source="pets", metric="mean_per_class")
    assert (spec.download, spec.partial) == (False, False)
    with pytest.raises(ValidationError):
        TaskSpec(source="pets", metric="mean_per_class", partial="yes")
