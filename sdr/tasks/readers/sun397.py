"""SUN397 with the first of its ten official splits, Training_01.txt and Testing_01.txt of Partitions.zip.

torchvision's reader knows no split, it takes all 108,754 images, so the lists are read here. A line is the path of an
image in the archive, /a/abbey/sun_aaalbzqrimafwbiv.jpg; its folder, a line of ClassName.txt, is its class. (The
protocol's own script takes the first class whose name is found anywhere in the path: it calls a barn a bar and a
lighthouse a house. Here they are what they are.)
"""

from pathlib import Path

from sdr.base.errors import UserError
from sdr.tasks.readers.reader import Splits, lines, listed, reader

_FOLDER = "SUN397"


def _read(root: Path) -> Splits:
    names = root / _FOLDER / "ClassName.txt"
    known = {line for _, line in lines(names)}  # as /a/abbey, /a/apartment_building/outdoor
    splits = {}
    for split, name in {"train": "Training_01.txt", "test": "Testing_01.txt"}.items():
        label_file = root / _FOLDER / name
        pictures = []
        for place, line in lines(label_file):
            folder, _, _ = line.rpartition("/")
            if folder not in known:
                raise UserError(f"{place}: {line}: unknown class {folder}, which is not in {names}")
            pictures.append((root / _FOLDER / line[1:], folder[len("/a/") :]))
        splits[split] = listed(root, label_file, pictures)
    return splits


SUN397 = reader(
    "sun397",
    _read,
    metric="top1",
    n_classes=397,
    sizes={"train": 19850, "test": 19850},
    folders=(_FOLDER,),
    inside=tuple(f"{_FOLDER}/{name}.txt" for name in ("ClassName", "Training_01", "Testing_01")),
    get="unpack SUN397.tar.gz there, which makes SUN397/a … SUN397/z, and put Training_01.txt, Testing_01.txt and "
    "ClassName.txt of Partitions.zip into SUN397; their site (https://vision.princeton.edu/projects/2010/SUN/) no "
    "longer serves them: https://github.com/pytorch/vision/issues/9348",
)
