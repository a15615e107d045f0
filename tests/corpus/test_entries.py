import hashlib
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.entries import Entry, Skipped, from_file, from_image, read_all


def test_a_file_is_described_as_it_lies_on_disk(tmp_path):
    path = tmp_path / "a.jpg"
    Image.effect_noise((500, 300), 20).convert("RGB").save(path)
    loaded = from_file(path, "a.jpg", 16)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (loaded.bytes, loaded.width, loaded.height) == (path.stat().st_size, 500, 300)
    assert loaded.pixels.shape == (16, 16, 3)


def test_reading_with_threads_keeps_the_order():
    def load(grey, size):
        time.sleep(0.002 * (grey % 3))  # later ones are often ready first
        return from_image(Image.new("L", (4, 4), grey), str(grey), size)

    entries = [Entry("d", str(grey), partial(load, grey)) for grey in range(256)]
    read = list(read_all(iter(entries), 4, Skipped(0, "here")))
    assert [entry.origin for entry, _ in read] == [str(grey) for grey in range(256)]
    assert [int(loaded.pixels[0, 0, 0]) for _, loaded in read] == list(range(256))


def test_bad_files_are_skipped_with_their_reasons(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("no picture")
    Image.effect_noise((40, 40), 50).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    names = ("cut.png", "good.png", "gone.png", "text.png")
    skipped = Skipped(0.75, "here")
    read = list(read_all([Entry("d", name, partial(from_file, tmp_path / name, name)) for name in names], 8, skipped))
    assert [entry.origin for entry, _ in read] == ["good.png"]
    assert [reason.split(":")[0] for reason in skipped.reasons] == ["cut.png", "gone.png", "text.png"]
    assert skipped.reasons[1:] == ["gone.png: No such file or directory", "text.png: not an image"]
    skipped.check(1)


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.0, 0.1, 0.25, 0.5]))
def test_more_than_the_allowed_share_is_an_error(read, bad, share):
    skipped = Skipped(share, "here")
    skipped.reasons += [f"{index}.png: not an image" for index in range(bad)]
    if read and bad / (read + bad) <= share:
        skipped.check(read)
    else:
        with pytest.raises(UserError, match=f"{bad} of {read + bad} files"):
            skipped.check(read)


def test_the_error_lists_the_first_ten():
    skipped = Skipped(0.01, "/images")
    skipped.reasons += [f"{index}.png: not an image" for index in range(13)]
    with pytest.raises(UserError) as error:
        skipped.check(100)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("/images: 13 of 113 files") and "data.max_bad_fraction allows 1.00%" in lines[0]
    assert lines[1:] == [f"  {index}.png: not an image" for index in range(10)] + ["  and 3 more"]


def test_pixels_in_memory_are_hashed():
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    loaded = from_image(image, "a", 4)
    assert loaded.sha256 == hashlib.sha256(bytes(range(48))).hexdigest()
    assert loaded.bytes == 48
