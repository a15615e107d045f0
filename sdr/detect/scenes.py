"""Scenes: a small detection set in VOC's format, of signs on crops of photographs and maps.

A sign is a light plate with a picture of a built-in task: a glyph or a handwritten digit in dark ink, or a mascot in
its colours. So a class is a matter of shape. Sizes, proportions and places vary; signs hide each other and leave
the image. The pictures of train, val and test differ, and no pixel of a test ground is in a ground of train or val.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from sdr.corpus.decode import decode
from sdr.sources import builtin
from sdr.sources.builtin import maps, photographs
from sdr.sources.builtin.glyphs import MATERIAL
from sdr.sources.builtin.pictures import chance, shuffled, which_part
from sdr.sources.packages import shipped

SOURCES = {  # class → built-in task, and the label that its pictures have there (None: any)
    "cloud": ("pictograms", "cloud"),
    "digit": ("digits", None),
    "folder": ("pictograms", "folder"),
    "home": ("pictograms", "home"),
    "mascot": ("icons", "openstack"),
    "shield": ("pictograms", "shield"),
}
GROUNDS = ("photographs", "regions")  # the built-in tasks whose whole pictures are cut up for grounds
CLASSES = tuple(SOURCES)
COLOURED = ("mascot",)  # classes that keep their colours
COUNTS = {"2007_train": 120, "2007_val": 120, "2007_test": 120, "2012_train": 60, "2012_val": 60}  # images
VAL_SHARE = 0.25  # of the training pictures, for val alone
CROPS = (75, 40)  # grounds of each photograph, for train and val, and for test; the map has ten times as many
LONG, SHORT = 112, (80, 113)  # pixels: long side of an image, range of the short one
OBJECTS = (0.06, 0.24, 0.30, 0.24, 0.16)  # chance of 0, 1, 2, 3, 4 objects
SIDES = (20, 48)  # longer side of a sign in pixels, log-uniform
SMALL_SHARE, SMALL = 0.05, (11, 16)  # some are smaller, and difficult for it
MARGIN = 0.12  # of a plate, around its picture, in longer sides of the picture
ASPECT = 1.2  # largest change of width / height
PLATE, INK = (210, 250), (0, 80)  # ranges of grey: of a plate; of each of the three colours of an ink
OUTSIDE = 0.2  # largest share of an object's width or height that lies outside of the image
VISIBLE = 0.3  # share of its pixels that later objects leave visible, at least
DIFFICULT = 0.6  # less of it visible than this: difficult
QUALITY = 92  # of the JPEG files


class Layer(NamedTuple):
    """A sign in its place: h×w×3 uint8, and where its first pixel lies, counted from 0."""

    label: str
    pixels: np.ndarray
    left: int
    top: int


class Thing(NamedTuple):
    """An object as VOC describes it: the box of its visible pixels, counted from 1 and inclusive."""

    label: str
    box: tuple[int, int, int, int]
    truncated: bool
    difficult: bool


def write(folder: Path, counts: dict[str, int]) -> None:
    """Write VOC2007 and VOC2012 into `folder`, the same in every run.

    Args:
        folder: what VOC calls VOCdevkit; an existing folder.
        counts: images of each of `detection.LISTINGS`, such as `COUNTS`.
    """
    objects, grounds = _objects(), _grounds()
    for year in ("2007", "2012"):
        root = folder / f"VOC{year}"
        for path in ("Annotations", "ImageSets/Main", "JPEGImages"):
            (root / path).mkdir(parents=True)
        lists: dict[str, list[str]] = {"trainval": []}
        number = 0
        for listing in (listing for listing in counts if listing.startswith(year)):
            split = listing.removeprefix(f"{year}_")
            lists[split] = []
            for _ in range(counts[listing]):
                number += 1
                name = f"{number:06}" if year == "2007" else f"2012_{number:06}"
                ground = grounds["test" if split == "test" else "train"]
                picture, things = _scene(f"scenes {listing} {name}", objects[split], ground)
                Image.fromarray(picture).save(root / f"JPEGImages/{name}.jpg", quality=QUALITY)
                (root / f"Annotations/{name}.xml").write_text(_xml(root.name, name, picture, things))
                for each in (split, *(["trainval"] if split != "test" else [])):
                    lists[each].append(name)
        for split, names in lists.items():
            (root / f"ImageSets/Main/{split}.txt").write_text("".join(f"{name}\n" for name in names))


@cache
def _objects() -> dict[str, dict[str, list[Image.Image]]]:
    """Return the cut-outs of each class, RGBA, for each split."""
    cutouts = {split: {label: [] for label in CLASSES} for split in ("train", "val", "test")}
    tasks = {task: builtin.examples(task, Counter()) for task in {task for task, _ in SOURCES.values()}}
    for label, (task, wanted) in SOURCES.items():
        examples = [each for each in tasks[task] if wanted in (each.label, None)]
        # Outlined glyphs have hairlines at these sizes, and most of the other icon fonts' are.
        examples = [each for each in examples if task != "pictograms" or MATERIAL.font in each.origin]
        examples = [each for each in examples if not each.origin.endswith("-outline")]
        training = shuffled(each.origin for each in examples if each.split == "train")
        held_out = training[: round(VAL_SHARE * len(training))]
        for each in examples:
            split = "val" if each.origin in held_out else each.split
            cutouts[split][label].append(_cut_out(each.image))
    return cutouts


def _cut_out(image: Image.Image) -> Image.Image:
    """Return RGBA, trimmed, with a margin; of a picture without opacity what differs from the corner's colour."""
    if image.mode != "RGBA":
        pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
        far = np.abs(pixels - pixels[0, 0]).sum(axis=2)  # of two colours blended: in proportion to the ink
        image = Image.new("RGBA", image.size)
        image.putalpha(Image.fromarray(np.round(255 * far / far.max()).astype(np.uint8)))
    image = image.crop(image.getchannel("A").point(lambda opacity: 255 * (opacity >= 128)).getbbox())
    margin = round(MARGIN * max(image.size))
    return image.crop((-margin, -margin, image.width + margin, image.height + margin))


@cache
def _grounds() -> dict[str, list[Image.Image]]:
    """Return square crops of photographs and of a map, for "train" (and val) and for "test"."""
    crops: dict[str, list[Image.Image]] = {"train": [], "test": []}
    for package, path in photographs.TASK:
        image = decode(shipped(package, path)).image.convert("RGB")
        for example in which_part(path, image, f"ground {path}", CROPS, (LONG // 2, LONG)):
            crops[example.split].append(example.image)
    for example in maps.task():
        crops[example.split].append(example.image)
    return crops


def _scene(
    name: str, objects: dict[str, list[Image.Image]], grounds: list[Image.Image]
) -> tuple[np.ndarray, list[Thing]]:
    """Draw a scene by its name: H×W×3 uint8, and what is on it."""
    rng = chance(name)
    size = (LONG, int(rng.integers(*SHORT)))
    width, height = size if rng.random() < 0.5 else size[::-1]
    ground = grounds[rng.integers(len(grounds))]
    picture = _ground(ground, width, height)
    layers: list[Layer] = []
    for _ in range(rng.choice(len(OBJECTS), p=OBJECTS)):
        label = CLASSES[rng.integers(len(CLASSES))]
        layer = _layer(rng, label, objects[label][rng.integers(len(objects[label]))], picture)
        if min(_shares(compose(picture, [*layers, layer])[1], [*layers, layer])) >= VISIBLE:
            layers.append(layer)
    picture, owner = compose(picture, layers)
    return picture, describe(owner, layers)


def compose(ground: np.ndarray, layers: list[Layer]) -> tuple[np.ndarray, np.ndarray]:
    """Paste layers onto a ground, H×W×3 uint8; later ones cover earlier ones.

    Returns:
        the picture H×W×3 uint8, and for each pixel the number of the layer it belongs to, or -1, int64 H×W.
    """
    height, width, _ = ground.shape
    picture, owner = ground.copy(), np.full((height, width), -1)
    for number, (_, pixels, left, top) in enumerate(layers):
        rows, columns = slice(max(0, top), top + len(pixels)), slice(max(0, left), left + pixels.shape[1])
        picture[rows, columns] = pixels[rows.start - top : height - top, columns.start - left : width - left]
        owner[rows, columns] = number
    return picture, owner


def describe(owner: np.ndarray, layers: list[Layer]) -> list[Thing]:
    """Return what `compose` made as VOC has it; `owner` is its second result."""
    things = []
    for number, (layer, share) in enumerate(zip(layers, _shares(owner, layers), strict=True)):
        rows, columns = np.nonzero(owner == number)
        box = (columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1)
        height, width, _ = layer.pixels.shape
        outside = min(layer.left, layer.top) < 0 or (
            layer.left + width > owner.shape[1] or layer.top + height > owner.shape[0]
        )
        small = max(height, width) < SIDES[0]
        things.append(Thing(layer.label, tuple(map(int, box)), outside, small or share < DIFFICULT))
    return things


def _shares(owner: np.ndarray, layers: list[Layer]) -> list[float]:
    """Return which share of each layer's pixels is to be seen."""
    return [int((owner == number).sum()) / layer.pixels[..., 0].size for number, layer in enumerate(layers)]


def _ground(crop: Image.Image, width: int, height: int) -> np.ndarray:
    """Return the middle of a square crop, H×W×3 uint8."""
    side = crop.width / LONG
    left, top = (LONG - width) / 2 * side, (LONG - height) / 2 * side
    box = (left, top, left + width * side, top + height * side)
    return np.asarray(crop.resize((width, height), Image.Resampling.BICUBIC, box=box))


def _layer(rng: np.random.Generator, label: str, cutout: Image.Image, ground: np.ndarray) -> Layer:
    """Draw size, proportions, colours and place of a sign."""
    small = rng.random() < SMALL_SHARE
    side = np.exp(rng.uniform(*np.log(SMALL if small else SIDES)))
    aspect = cutout.width / cutout.height * np.exp(rng.uniform(-1, 1) * np.log(ASPECT))
    width, height = max(1, round(side * min(1, aspect))), max(1, round(side * min(1, 1 / aspect)))
    pixels = np.asarray(cutout.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    plate, ink = rng.uniform(*PLATE), rng.uniform(*INK, size=3)
    colours = pixels[..., :3] if label in COLOURED else ink
    sign = plate + (colours - plate) * (pixels[..., 3:] / 255)
    outside = int(OUTSIDE * width), int(OUTSIDE * height)
    left = int(rng.integers(-outside[0], ground.shape[1] - width + outside[0] + 1))
    top = int(rng.integers(-outside[1], ground.shape[0] - height + outside[1] + 1))
    return Layer(label, np.round(sign).clip(0, 255).astype(np.uint8), left, top)


def _xml(folder: str, name: str, picture: np.ndarray, things: list[Thing]) -> str:
    height, width, depth = picture.shape
    objects = "".join(
        f"""
  <object>
    <name>{thing.label}</name>
    <pose>Unspecified</pose>
    <truncated>{int(thing.truncated)}</truncated>
    <difficult>{int(thing.difficult)}</difficult>
    <bndbox>{"".join(f"<{side}>{value}</{side}>" for side, value in zip(_SIDES, thing.box))}</bndbox>
  </object>"""
        for thing in things
    )
    return f"""<annotation>
  <folder>{folder}</folder>
  <filename>{name}.jpg</filename>
  <size><width>{width}</width><height>{height}</height><depth>{depth}</depth></size>
  <segmented>0</segmented>{objects}
</annotation>
"""


_SIDES = ("xmin", "ymin", "xmax", "ymax")
