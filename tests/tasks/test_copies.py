"""The same picture twice: by content, and by its looks, against correlations by NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.corpus.thumbnail import SAME, to_bytes
from sdr.tasks import copies
from sdr.tasks.copies import EXAMPLES, apart, compare_looks, first_of_each, look_alikes, look_alikes_within, overlap


def test_contents_in_two_splits_and_copies_in_one():
    found = overlap(
        {
            "train": [("t1", "A"), ("t2", "B"), ("t3", "A"), ("t4", "A")],
            "val": [("v1", "C"), ("v2", "B")],
            "test": [("s1", "A"), ("s2", "D"), ("s3", "A")],
        }
    )
    assert found["overlap"] == {"train-val": 1, "train-test": 1, "val-test": 0}
    assert found["overlap_examples"] == {"train-val": [["t2", "v2"]], "train-test": [["t1", "s1"]]}
    assert found["duplicates"] == {"train": 2, "val": 0, "test": 1}
    assert found["duplicate_examples"] == {"train": [["t1", "t3"], ["t1", "t4"]], "test": [["s1", "s3"]]}


def test_an_image_that_a_list_repeats_is_a_copy_too():
    assert overlap({"train": [("t1", "A"), ("t1", "A")]})["duplicates"] == {"train": 1}


def test_many_are_counted_and_few_are_named():
    same = [(f"{n}", f"{n}") for n in range(3 * EXAMPLES)]
    found = overlap({"train": same, "test": same})
    assert found["overlap"] == {"train-test": 3 * EXAMPLES}
    assert len(found["overlap_examples"]["train-test"]) == EXAMPLES


def thumbs(seed, n, noise=0.2, kinds=4):
    """Thumbnails, some of which are alike; every seventh is blank."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(kinds, 256))[rng.integers(kinds, size=n)] + noise * rng.normal(size=(n, 256))
    x -= x.mean(1, keepdims=True)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return [None if i % 7 == 6 else row.astype(np.float32) for i, row in enumerate(x)]


@given(st.integers(0, 9), st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_look_alikes_are_those_that_correlate(seed, n, m):
    known, asked = thumbs(seed, n), thumbs(seed + 1, m) + thumbs(seed, m)
    found = look_alikes(known, asked)
    alike = {
        j: [float(np.corrcoef(a, b)[0, 1]) if a is not None else -1.0 for a in known]
        for j, b in enumerate(asked)
        if b is not None
    }
    assert [j for _, j in found] == [j for j, row in alike.items() if row and max(row) >= SAME]
    assert all(alike[j][i] == pytest.approx(max(alike[j]), abs=1e-5) for i, j in found)
    within = look_alikes_within(known)
    expected = [
        j
        for j, b in enumerate(known)
        if b is not None and any(a is not None and np.corrcoef(a, b)[0, 1] >= SAME for a in known[:j])
    ]
    assert [j for _, j in within] == expected and all(i < j for i, j in within)


def test_parts_compared_in_pieces_are_the_same(monkeypatch):
    known, asked = thumbs(0, 90), thumbs(0, 120)
    whole = look_alikes(known, asked), look_alikes_within(asked)
    monkeypatch.setattr(copies, "_CHUNK", 3)
    assert (look_alikes(known, asked), look_alikes_within(asked)) == whole and whole[0] and whole[1]


def test_equal_files_are_no_look_alikes():
    one, other = thumbs(0, 1, kinds=1)[0], thumbs(5, 1, kinds=1)[0]
    pictures = {"train": [("a", "1"), ("b", "2"), ("c", "3")], "test": [("d", "1"), ("e", "4")]}
    found = compare_looks(pictures, {"train": [one, one, other], "test": [one, other]})
    assert found == {
        "train-test": [("c", "e")],  # a and d are one file
        "train": [("a", "b")],
        "test": [],
    }


def test_the_first_of_each_content():
    assert first_of_each(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 3]


@given(st.integers(0, 99), st.integers(0, 40), st.booleans())
@settings(max_examples=40, deadline=None)
def test_of_those_of_one_label_that_look_alike_one_counts(seed, n, several):
    looks = thumbs(seed, n, kinds=12)
    label = np.random.default_rng(seed).integers(3, size=n)
    targets = np.eye(3, dtype=bool)[label] if several else label
    expected = []
    for each in range(3):
        rows = [i for i in range(n) if label[i] == each]
        first = [
            j
            for j in rows
            if looks[j] is None
            or not any(looks[i] is not None and np.corrcoef(looks[i], looks[j])[0, 1] >= SAME for i in rows if i < j)
        ]
        expected += first if len(first) >= 2 else rows
    assert apart(looks, targets).tolist() == sorted(expected)


def test_thumbnails_of_bytes_are_compared_as_those_of_floats(monkeypatch):
    known, asked = thumbs(0, 60, noise=0.05), thumbs(0, 40, noise=0.05)  # none near the limit, where a rounding decides
    packed, bytes_asked = (np.stack([to_bytes(thumb) for thumb in found]) for found in (known, asked))
    for most in (copies.MOST, 10):  # of a larger split only so many are asked for
        monkeypatch.setattr(copies, "MOST", most)
        pairs = [look_alikes(known, asked), look_alikes(packed, asked), look_alikes(packed, bytes_asked)]
        alike, *others = [[j for _, j in found] for found in pairs]
        within = ([j for _, j in look_alikes_within(looks)] for looks in (packed, known))
        assert next(within) == next(within)
        label = np.arange(60) % 3
        assert apart(packed, label).tolist() == apart(known, label).tolist() != list(range(60))
        assert others == [alike, alike] and 0 < len(alike) <= most
