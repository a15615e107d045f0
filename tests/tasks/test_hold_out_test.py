"""The test split by hash, of tasks that have none."""

import pytest

from sdr.base.errors import UserError
from sdr.corpus.entries import Entry
from sdr.tasks.files import reader_of
from sdr.tasks.hold_out_test import hold_out_test
from sdr.tasks.task import TaskSpec


def entries(n: int, task: str = "mine") -> list[Entry]:
    return [Entry(label, f"{task}/{label}/{i}.png", None) for label in "ab" for i in range(n)]


@pytest.mark.parametrize(("n", "held"), [(1, 0), (2, 0), (3, 1), (10, 2), (50, 10)])
def test_a_share_of_each_class(n, held):
    train, test = hold_out_test(entries(n), 0.2)
    for label in "ab":
        assert sum(e.domain == label for e in test) == held and sum(e.domain == label for e in train) == n - held
    assert [e.origin for e in train] == [e.origin for e in entries(n) if e in train]  # in the order in which they came


def test_depends_on_names_alone_and_grows_with_the_folder():
    test = {e.origin for e in hold_out_test(entries(50), 0.2)[1]}
    assert {e.origin for e in hold_out_test(entries(50)[::-1], 0.2)[1]} == test
    renamed = {e.origin.replace("other", "mine") for e in hold_out_test(entries(50, "other"), 0.2)[1]}
    assert renamed == test
    more = {e.origin for e in hold_out_test(entries(60), 0.2)[1]}
    assert len(test & more) >= 0.6 * len(test)


def test_only_of_own_folders():
    with pytest.raises(UserError, match="`folder` and `test_fraction` are for sources folder and csv"):
        reader_of("digits", TaskSpec(source="builtin", metric="top1", test_fraction=0.2))
