"""Photographs: corpus of crops, and the task "which photograph is this crop from" on other photographs."""

from collections.abc import Iterator

from PIL import Image

from sdr.corpus.decode import decode
from sdr.sources.builtin.pictures import Example, Picture, crops, which_part
from sdr.sources.packages import shipped

CORPUS = (
    ("scikit-image", "skimage/data/astronaut.png"),
    ("scikit-image", "skimage/data/cell.png"),
    ("scikit-image", "skimage/data/chelsea.png"),
    ("scikit-image", "skimage/data/grass.png"),
    ("scikit-image", "skimage/data/hubble_deep_field.jpg"),
    ("scikit-image", "skimage/data/motorcycle_left.png"),
    ("scikit-image", "skimage/data/page.png"),
    ("scikit-image", "skimage/data/retina.jpg"),
    ("scikit-image", "skimage/data/rocket.jpg"),
    ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
    ("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg"),
)
TASK = (
    ("scikit-image", "skimage/data/brick.png"),
    ("scikit-image", "skimage/data/camera.png"),
    ("scikit-image", "skimage/data/coffee.png"),
    ("scikit-image", "skimage/data/coins.png"),
    ("scikit-image", "skimage/data/gravel.png"),
    ("scikit-image", "skimage/data/ihc.png"),
    ("scikit-image", "skimage/data/moon.png"),
    ("scikit-image", "skimage/data/text.png"),
    ("scikit-learn", "sklearn/datasets/images/china.jpg"),
)


def corpus() -> Iterator[Picture]:
    """Yield 220 crops of each photograph, sides 48 to 288 pixels."""
    for package, path in CORPUS:
        yield from crops(_open(package, path), f"{package}:{path}", 220, (48, 288))


def task() -> Iterator[Example]:
    """Yield grey crops of photographs that the corpus does not have; the class is the photograph."""
    for package, path in TASK:
        image = _open(package, path).convert("L")
        label = path.rsplit("/", 1)[1].split(".")[0]
        yield from which_part(label, image, f"{package}:{path}", (75, 60), (40, 128))


def _open(package: str, path: str) -> Image.Image:
    return decode(shipped(package, path)).image
