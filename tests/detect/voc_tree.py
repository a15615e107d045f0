"""VOCdevkit trees in the official layout, with small pictures."""

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

LISTS = {
    "VOC2007": {"train": ["000012", "000017"], "val": ["000005", "000007"], "test": ["000001", "000002", "000003"]},
    "VOC2012": {"train": ["2008_000008"], "val": ["2008_000002", "2011_003353"]},
}
WIDTH, HEIGHT = 50, 40
BOX = ("bus", (11, 6, 30, 25))  # of every image, where nothing else is said


def annotation(name: str, objects: list, width: int = WIDTH, height: int = HEIGHT, year: str = "VOC2007") -> str:
    """An annotation as VOC writes it; an object is (class, (xmin, ymin, xmax, ymax)[, difficult])."""
    written = "".join(
        f"""
	<object>
		<name>{each[0]}</name>
		<pose>Left</pose>
		<truncated>1</truncated>
		<difficult>{int(len(each) > 2 and each[2])}</difficult>
		<bndbox>
			<xmin>{each[1][0]}</xmin>
			<ymin>{each[1][1]}</ymin>
			<xmax>{each[1][2]}</xmax>
			<ymax>{each[1][3]}</ymax>
		</bndbox>
	</object>"""
        for each in objects
    )
    return f"""<annotation>
	<folder>{year}</folder>
	<filename>{name}.jpg</filename>
	<source>
		<database>The VOC2007 Database</database>
		<annotation>PASCAL VOC2007</annotation>
		<image>flickr</image>
	</source>
	<size>
		<width>{width}</width>
		<height>{height}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>{written}
</annotation>
"""


def jpeg(seed: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A picture of its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def write_tree(devkit: Path) -> None:
    """Write the images of `LISTS`, one bus each, and the files that VOC has beside them."""
    for year, lists in LISTS.items():
        main = devkit / year / "ImageSets/Main"
        for folder in (main, devkit / year / "Annotations", devkit / year / "JPEGImages"):
            folder.mkdir(parents=True)
        for split, names in (lists | {"trainval": sorted(lists["train"] + lists["val"])}).items():
            (main / f"{split}.txt").write_text("\n".join(names) + "\n")
            (main / f"aeroplane_{split}.txt").write_text("".join(f"{name} -1\n" for name in names))
        for name in (name for names in lists.values() for name in names):
            put(devkit, year, name, [BOX])
    put(devkit, "VOC2012", "2007_000027", [("alien", (1, 1, 2, 2))])  # in no list: segmentation only


def put(devkit: Path, year: str, name: str, objects: list, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """Write an image and its annotation; return the annotation's path."""
    (devkit / year / f"JPEGImages/{name}.jpg").write_bytes(jpeg(zlib.crc32(f"{year}/{name}".encode()), width, height))
    path = devkit / year / f"Annotations/{name}.xml"
    path.write_text(annotation(name, objects, width, height, year))
    return path
