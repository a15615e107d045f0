"""The data sets whose official layout and split torchvision reads: FGVC Aircraft, Stanford Cars, DTD, Oxford 102
Flowers, Food-101 and Oxford-IIIT Pets.

torchvision parses the label files. The pictures themselves are opened by `sdr.tasks.image`, because
torchvision's items do not say which file they come from: its data sets take a function that loads a file, and here
that function returns the path (Pets alone has no such argument).
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError
from sdr.tasks.readers.reader import Splits, listed, reader

_N_BREEDS = 37
_VGG = "https://www.robots.ox.ac.uk/~vgg/data"


def fetch(kind: str, folder: Path, **arguments: Any) -> None:
    """Download and unpack data set torchvision.datasets.KIND into the folder."""
    import torchvision

    getattr(torchvision.datasets, kind)(folder, download=True, **arguments)


def construct(kind: str, root: Path, label_file: Path, **arguments: Any) -> Any:
    """Return data set torchvision.datasets.KIND(root, …).

    Raises:
        UserError: torchvision does not understand its files; `label_file` is named.
    """
    import torchvision
    from scipy.io.matlab import MatReadError

    try:
        return getattr(torchvision.datasets, kind)(root, **arguments)
    except KeyError as error:
        reason = f"unknown class or field {error}"
    except RuntimeError:  # torchvision compared checksums
        reason = "its checksum, or that of a file beside it, is not that of the official one"
    except (OSError, ValueError, TypeError, IndexError, MatReadError) as error:
        reason = f"it is cut short or damaged: {error}"
    raise UserError(f"{label_file}: {reason}; unpack the official archive again")


def _read(kind: str, splits: dict[str, tuple[str, str]], root: Path, by_class: bool = False) -> Splits:
    """Read splits {our name: (torchvision's name, label file)}; put into the classes' order if `by_class`."""
    read = {}
    for split, (theirs, name) in splits.items():
        label_file = root / name
        dataset = construct(kind, root, label_file, split=theirs, loader=Path)
        items = [dataset[index] for index in range(len(dataset))]  # (path, class number)
        _check_numbers(label_file, items, len(dataset.classes))
        if by_class:
            items.sort(key=lambda item: item[1])
        read[split] = listed(root, label_file, [(path, dataset.classes[number]) for path, number in items])
    return read


def _read_pets(root: Path) -> Splits:
    """Read Pets, whose items have no path in torchvision's public interface, nor a name of their breed.

    (Its `classes` are the breeds of one split: where one is absent the numbers of the others do not fit.) The breed
    is in the file's name, as in american_bulldog_100.jpg.
    """
    read = {}
    for split, theirs in {"train": "trainval", "test": "test"}.items():
        label_file = root / f"oxford-iiit-pet/annotations/{theirs}.txt"
        dataset = construct("OxfordIIITPet", root, label_file, split=theirs)
        _check_numbers(label_file, zip(dataset._images, dataset._labels, strict=True), _N_BREEDS)
        read[split] = listed(root, label_file, [(path, path.stem.rsplit("_", 1)[0]) for path in dataset._images])
    return read


def _check_numbers(label_file: Path, items: Iterable[tuple[Path, int]], n_classes: int) -> None:
    """Raise UserError if a class number is none of 0 … n_classes - 1; the files count from 1."""
    for path, number in items:
        if not 0 <= number < n_classes:
            raise UserError(
                f"{label_file}: unknown class {number + 1} of {path.name}; classes are 1…{n_classes}; "
                "unpack the official archive again"
            )


AIRCRAFT = reader(
    "aircraft",
    partial(
        _read,
        "FGVCAircraft",
        {split: (split, f"fgvc-aircraft-2013b/data/images_variant_{split}.txt") for split in ("train", "val", "test")},
    ),
    metric="mean_per_class",
    n_classes=100,
    sizes={"train": 3334, "val": 3333, "test": 3333},
    folders=("fgvc-aircraft-2013b/data",),
    get=f"unpack fgvc-aircraft-2013b.tar.gz of {_VGG}/fgvc-aircraft/ there",
    fetch=partial(fetch, "FGVCAircraft"),
)

CARS = reader(
    "cars",
    partial(
        _read,
        "StanfordCars",
        {
            "train": ("train", "stanford_cars/devkit/cars_train_annos.mat"),
            "test": ("test", "stanford_cars/cars_test_annos_withlabels.mat"),
        },
    ),
    metric="top1",
    n_classes=196,
    sizes={"train": 8144, "test": 8041},
    folders=(
        "stanford_cars/cars_train",
        "stanford_cars/cars_test",
        "stanford_cars/devkit",
        "stanford_cars/cars_test_annos_withlabels.mat",
    ),
    get="its site (ai.stanford.edu/~jkrause/cars) is gone: https://github.com/pytorch/vision/issues/7545 tells where "
    "copies are; put cars_train/*.jpg, cars_test/*.jpg, devkit/*.mat (car_devkit.tgz) and "
    "cars_test_annos_withlabels.mat into stanford_cars there",
)

DTD = reader(
    "dtd",
    partial(_read, "DTD", {split: (split, f"dtd/dtd/labels/{split}1.txt") for split in ("train", "val", "test")}),
    metric="top1",
    n_classes=47,
    sizes={"train": 1880, "val": 1880, "test": 1880},
    folders=("dtd/dtd/images", "dtd/dtd/labels"),
    get=f"unpack dtd-r1.0.1.tar.gz of {_VGG}/dtd/ into dtd there",
    fetch=partial(fetch, "DTD"),
)

FLOWERS = reader(
    "flowers",
    partial(_read, "Flowers102", {split: (split, "flowers-102/setid.mat") for split in ("train", "val", "test")}),
    metric="mean_per_class",
    n_classes=102,
    sizes={"train": 1020, "val": 1020, "test": 6149},
    folders=("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat"),
    get=f"get 102flowers.tgz, imagelabels.mat and setid.mat of {_VGG}/flowers/102/ and unpack them into flowers-102 "
    "there",
    fetch=partial(fetch, "Flowers102"),
)

FOOD = reader(
    "food",
    # The protocol takes the classes in the order of classes.txt, which is the alphabet's; the validation images are
    # drawn by their place.
    partial(
        _read,
        "Food101",
        {split: (split, f"food-101/meta/{split}.json") for split in ("train", "test")},
        by_class=True,
    ),
    metric="top1",
    n_classes=101,
    sizes={"train": 75750, "test": 25250},
    folders=("food-101/images", "food-101/meta"),
    get="unpack food-101.tar.gz of https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/ there",
    fetch=partial(fetch, "Food101"),
)

PETS = reader(
    "pets",
    _read_pets,
    metric="mean_per_class",
    n_classes=_N_BREEDS,
    sizes={"train": 3680, "test": 3669},
    folders=(
        "oxford-iiit-pet/images",
        "oxford-iiit-pet/annotations/trainval.txt",
        "oxford-iiit-pet/annotations/test.txt",
    ),
    get=f"unpack images.tar.gz and annotations.tar.gz of {_VGG}/pets/ into oxford-iiit-pet there",
    fetch=partial(fetch, "OxfordIIITPet"),
)
