"""Odd and broken pictures in a task: each is read, or is skipped and named."""

import io

import numpy as np
import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus import location
from sdr.sources.watched import take
from sdr.tasks.files import look
from sdr.tasks.prepare_task import prepare_task
from sdr.tasks.task import Task, TaskSpec

SPEC = TaskSpec(source="folder", metric="top1")
GOOD = 6  # images of each class in each split


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A task of two classes; `task("1.jpg", content)` adds a file to a class and prepares it all."""
    monkeypatch.setenv(location.TASKS, str(tmp_path / "tasks"))
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("ant", "bee"):
            folder = tmp_path / "tasks/insects" / split / label
            folder.mkdir(parents=True)
            for number in range(GOOD):
                Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "out").mkdir()

    def run(name: str, content: bytes | None, bad: float = 0.0) -> tuple[dict, np.ndarray]:
        path = tmp_path / "tasks/insects/train/bee" / name
        path.symlink_to("nowhere") if content is None else path.write_bytes(content)
        meta = prepare_task("insects", SPEC, 8, bad, take(look("insects", SPEC)), tmp_path / "out")
        return meta, Task.open(tmp_path / "out").images("train")[-1]  # "z…" comes last

    return run


def encoded(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


RED = Image.new("RGB", (20, 12), (250, 10, 10))
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
PALETTE = Image.new("P", (20, 12), 3)
PALETTE.putpalette([0] * 9 + [10, 200, 30])
GREY_16 = Image.fromarray(np.full((12, 20), 257 * 100, dtype=np.uint16))


@pytest.mark.parametrize(
    ("name", "content", "colour"),
    [
        ("z.jpg", encoded(RED, "PNG"), (250, 10, 10)),  # a PNG by another name
        ("z.jpg", encoded(Image.new("CMYK", (20, 12), (0, 255, 255, 0)), "JPEG"), (254, 0, 0)),
        ("z.png", encoded(GREY_16, "PNG"), (100, 100, 100)),
        ("z.png", encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"), (1, 2, 3)),
        ("z.png", encoded(Image.new("L", (20, 12), 77), "PNG"), (77, 77, 77)),
        ("z.gif", encoded(PALETTE, "GIF"), (10, 200, 30)),
        ("z", encoded(RED, "BMP"), (250, 10, 10)),
    ],
    ids=["misnamed", "cmyk", "16-bit", "one-pixel", "grey", "palette", "no-suffix"],
)
def test_odd_ones_are_read(task, name, content, colour):
    meta, pixels = task(name, content)
    assert meta["n_train"] == 2 * GOOD + 1 and meta["skipped"] == []
    assert pixels.shape == (8, 8, 3) and np.abs(pixels.astype(int) - colour).max() <= 4


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("z.jpg", encoded(NOISE, "JPEG")[:-2000], "image file is truncated"),
        ("z.png", encoded(RED, "PNG")[:60], "truncated"),
        ("z.txt", b"no picture", "not an image"),
        ("z.jpg", b"", "an empty file"),
        ("z.jpg", None, "No such file or directory"),
        ("z.png", encoded(Image.new("L", (60_000, 1)), "PNG"), "60000×1 is too long"),
    ],
    ids=["truncated-jpeg", "truncated-png", "text", "empty", "missing", "too-long"],
)
def test_broken_ones_are_skipped_and_named_or_stop_it(task, monkeypatch, name, content, reason):
    monkeypatch.setattr("sdr.tasks.image.LARGEST", 100_000)
    with pytest.raises(UserError) as error:
        task(name, content)
    assert "task insects: 1 of 25 files cannot be read as images" in str(error.value)
    assert f"insects/train/bee/{name}: " in str(error.value) and reason in str(error.value)


def test_within_the_share_they_are_left_out(task):
    meta, _ = task("z.jpg", encoded(NOISE, "JPEG")[:-2000], bad=0.05)
    assert meta["n_train"] == 2 * GOOD
    assert [line.split(":")[0] for line in meta["skipped"]] == ["insects/train/bee/z.jpg"]
