import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.tasks.pack import Pack


@given(st.integers(0, 130), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_what_is_appended_is_what_numpy_reads(tmp_path_factory, count, size):
    path = tmp_path_factory.mktemp("pack") / "images.npy"
    images = np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    with Pack(path, size) as pack:
        for image in images:
            pack.append(image)
    read = np.load(path, mmap_mode="r" if count else None, allow_pickle=False)
    assert read.dtype == np.uint8 and read.flags.c_contiguous
    np.testing.assert_array_equal(read, images)


def test_a_picture_that_is_not_contiguous_is_written_in_order(tmp_path):
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)[:, ::-1]
    with Pack(tmp_path / "a.npy", 4) as pack:
        pack.append(image)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy")[0], image)


def test_another_size_is_refused(tmp_path):
    with Pack(tmp_path / "a.npy", 4) as pack, pytest.raises(ValueError):
        pack.append(np.zeros((5, 5, 3), dtype=np.uint8))
