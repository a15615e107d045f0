"""Pictures of nothing in ImageNet's layout and with its oddities: TRAIN/n01440764/n01440764_10026.JPEG."""

from pathlib import Path

import numpy as np
from PIL import Image

# The first of the thousand, in the order of their numbers.
WNIDS = (
    "n01440764",
    "n01443537",
    "n01484850",
    "n01491361",
    "n01494475",
    "n01496331",
    "n01498041",
    "n01514668",
    "n01514859",
    "n01518878",
    "n01530575",
    "n01531178",
    "n01532829",
    "n01534433",
    "n01537544",
    "n01558993",
    "n01560419",
    "n01580077",
    "n01582220",
    "n01592084",
)
# Width, height.
SIZES = ((500, 375), (375, 500), (500, 333), (500, 375), (333, 500), (640, 480), (500, 400), (240, 180))
ODD = 3  # pictures that are no RGB JPEG: ImageNet has grey ones, a few in CMYK, and a PNG that is called JPEG
FIRST = 10026  # number of a class' first file


def fabricate(train: Path, images: int, classes: int) -> float:
    """Write `images` pictures, dealt to `classes` folders; return their mean size in bytes.

    Noise and quality are such that a picture of 500 × 375 takes about 110 kB, as ImageNet's do.
    """
    random, total = np.random.default_rng(0), 0
    for i in range(images):
        wnid, number = WNIDS[i % classes], FIRST + i // classes
        file = train / wnid / f"{wnid}_{number}.JPEG"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = _picture(random, *SIZES[random.integers(len(SIZES))])
        mode = {0: "L", 1: "CMYK"}.get(i, "RGB")
        how = {"format": "PNG"} if i == 2 else {"format": "JPEG", "quality": 90}
        picture.convert(mode).save(file, **how)
        total += file.stat().st_size
    return total / images


def _picture(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Smooth colours under noise."""
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    noise = random.normal(0, 20, (height, width, 1))  # grey
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))
