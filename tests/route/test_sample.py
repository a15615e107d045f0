import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sdr.route.sample import balanced_order


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=60), seed=st.integers(0, 9), share=st.floats(0, 1))
def test_every_beginning_is_as_balanced_as_it_can_be(labels, seed, share):
    y = np.array(labels)
    order = balanced_order(y, seed)
    assert sorted(order) == list(range(len(y)))
    first = y[order[: round(share * len(y))]]
    counts = np.bincount(first, minlength=6)
    exhausted = counts == np.bincount(y, minlength=6)
    assert counts[~exhausted].max(initial=0) - counts[~exhausted].min(initial=99) <= 1 or exhausted.all()
    assert counts[exhausted].max(initial=0) <= counts[~exhausted].min(initial=99) + 1


def test_it_is_a_function_of_the_seed():
    y = np.arange(40) % 3
    assert np.array_equal(balanced_order(y, 1), balanced_order(y, 1))
    assert not np.array_equal(balanced_order(y, 1), balanced_order(y, 2))


def test_an_image_with_several_labels_counts_for_its_rarest():
    y = np.zeros((30, 3), dtype=bool)
    y[:, 0] = True
    y[:4, 1] = True  # rare, and always with the frequent one
    y[29] = False  # no label at all
    first = balanced_order(y, 0)[:9]
    assert y[first, 1].sum() == 4 and 29 in first
