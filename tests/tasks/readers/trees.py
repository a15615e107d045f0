"""Tiny trees of the eleven data sets, in their official on-disk formats.

A builder writes a tree below a root and returns what a reader should find there: (label, origin) of the images of
each split, in order. Every picture is of one colour of its own, which `colour` gives by its origin.
"""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

Expected = dict[str, list[tuple[str, str]]]


def colour(origin: str) -> tuple[int, int, int]:
    red, green, blue = hashlib.sha256(origin.encode()).digest()[:3]
    return (red, green, blue)


def picture(root: Path, origin: str) -> None:
    (root / origin).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (14, 10), colour(origin)).save(root / origin, quality=100, subsampling=0)


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def _pictures(root: Path, expected: Expected) -> Expected:
    for origin in {origin for images in expected.values() for _, origin in images}:
        picture(root, origin)
    return expected


def aircraft(root: Path, monkeypatch) -> Expected:
    data = "fgvc-aircraft-2013b/data"
    variants = ["707-320", "A340-300", "Eurofighter Typhoon"]
    write(root / data / "variants.txt", variants)
    expected: Expected = {}
    for split, first in {"train": 34309, "val": 1042824, "test": 1514522}.items():
        images = [(label, f"{first + place:07d}") for place, label in enumerate([*variants, variants[2]])]
        write(root / data / f"images_variant_{split}.txt", [f"{image} {label}" for label, image in images])
        expected[split] = [(label, f"{data}/images/{image}.jpg") for label, image in images]
    write(root / data / "images_variant_trainval.txt", [])
    return _pictures(root, expected)


def caltech101(root: Path, monkeypatch) -> Expected:
    classes = ["BACKGROUND_Google", "Faces", "accordion"]
    expected: Expected = {}
    for split, numbers in {"train": (3, 10), "test": (1, 2, 4)}.items():
        images = [(label, f"{label}/image_{number:04d}.jpg") for label in classes for number in numbers]
        write(
            root / f"caltech101/caltech101-splits/{split}.txt",
            [f"{image} {classes.index(label)}" for label, image in images],
        )
        expected[split] = [(label, f"caltech101/101_ObjectCategories/{image}") for label, image in images]
    return _pictures(root, expected)


def cars(root: Path, monkeypatch) -> Expected:
    names = ["AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012", "smart fortwo Convertible 2012"]
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit/cars_meta.mat", {"class_names": np.array([names], dtype=object)})
    expected: Expected = {}
    for split, path, order in [
        ("train", "devkit/cars_train_annos.mat", (3, 1, 2, 3)),
        ("test", "cars_test_annos_withlabels.mat", (2, 2, 1)),
    ]:
        car_annotations(base / path, order)
        expected[split] = [
            (names[number - 1], f"stanford_cars/cars_{split}/{place:05d}.jpg")
            for place, number in enumerate(order, start=1)
        ]
    return _pictures(root, expected)


def car_annotations(path: Path, numbers: tuple[int, ...]) -> None:
    fields = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
    records = np.empty((1, len(numbers)), dtype=[(name, object) for name in fields])
    for place, number in enumerate(numbers):
        records[0, place] = (*[np.uint8(1)] * 4, np.uint8(number), f"{place + 1:05d}.jpg")
    savemat(path, {"annotations": records})


def cifar10(root: Path, monkeypatch) -> Expected:
    classes = ["airplane", "automobile", "bird"]
    batches = {f"data_batch_{number}": ("train", "labels") for number in range(1, 6)}
    return _cifar(root, monkeypatch, "CIFAR10", classes, batches | {"test_batch": ("test", "labels")}, "batches.meta")


def cifar100(root: Path, monkeypatch) -> Expected:
    files = {"train": ("train", "fine_labels"), "test": ("test", "fine_labels")}
    return _cifar(root, monkeypatch, "CIFAR100", ["apple", "aquarium_fish", "baby"], files, "meta")


def _cifar(root: Path, monkeypatch, kind: str, classes: list[str], files: dict, meta: str) -> Expected:
    """Write python batches; torchvision gets their checksums in place of the official ones."""
    import torchvision

    kind = getattr(torchvision.datasets, kind)
    base = root / kind.base_folder
    base.mkdir(parents=True)
    expected: Expected = {"train": [], "test": []}
    for file, (split, key) in files.items():
        origins = [f"{kind.base_folder}/{split}#{len(expected[split]) + place}" for place in range(len(classes))]
        planes = [np.repeat(np.array(colour(origin), dtype=np.uint8), 32 * 32) for origin in origins]
        batch = {"data": np.stack(planes), key: list(range(len(classes))), "batch_label": file}
        if key == "fine_labels":
            batch["coarse_labels"] = [0] * len(classes)
        (base / file).write_bytes(pickle.dumps(batch, protocol=2))
        expected[split] += zip(classes, origins, strict=True)
    (base / meta).write_bytes(pickle.dumps({kind.meta["key"]: classes}, protocol=2))
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in base.iterdir()}
    for field, split in {"train_list": "train", "test_list": "test"}.items():
        monkeypatch.setattr(
            kind, field, [[file, sums[file]] for file, (of_file, _) in files.items() if of_file == split]
        )
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums[meta]})
    return expected


def dtd(root: Path, monkeypatch) -> Expected:
    expected: Expected = {}
    for split, numbers in {"train": (4, 2), "val": (5, 6), "test": (8,)}.items():
        images = [
            (label, f"{label}/{label}_{number:04d}.jpg") for number in numbers for label in ("zigzagged", "banded")
        ]
        write(root / f"dtd/dtd/labels/{split}1.txt", [image for _, image in images])
        write(root / f"dtd/dtd/labels/{split}2.txt", ["banded/banded_0001.jpg"])  # another split
        expected[split] = [(label, f"dtd/dtd/images/{image}") for label, image in images]
    return _pictures(root, expected)


def flowers(root: Path, monkeypatch) -> Expected:
    """Write image i of class number labels[i - 1]; torchvision gets the checksums of these lists."""
    import torchvision

    labels = np.array([77, 1, 102, 1, 77, 102, 1, 1], dtype=np.uint8)
    splits = {"train": [3, 2, 1], "val": [5, 8], "test": [4, 7, 6]}
    base = root / "flowers-102"
    base.mkdir(parents=True)
    savemat(base / "imagelabels.mat", {"labels": labels[None]})
    names = {"train": "trnid", "val": "valid", "test": "tstid"}
    savemat(base / "setid.mat", {names[split]: np.array([numbers]) for split, numbers in splits.items()})
    kind = torchvision.datasets.Flowers102
    files = {
        "image": kind._file_dict["image"],
        **{
            key: (file, hashlib.md5((base / file).read_bytes()).hexdigest())
            for key, file in {"label": "imagelabels.mat", "setid": "setid.mat"}.items()
        },
    }
    monkeypatch.setattr(kind, "_file_dict", files)
    readable = {1: "pink primrose", 77: "passion flower", 102: "blackberry lily"}
    return _pictures(
        root,
        {
            split: [
                (readable[int(labels[number - 1])], f"flowers-102/jpg/image_{number:05d}.jpg") for number in numbers
            ]
            for split, numbers in splits.items()
        },
    )


def food(root: Path, monkeypatch) -> Expected:
    expected: Expected = {}
    write(root / "food-101/meta/classes.txt", ["apple_pie", "churros", "hot_and_sour_soup"])
    for split, numbers in {"train": (1004234, 15), "test": (1061270, 200)}.items():
        lists = {
            label: [f"{label}/{number}" for number in numbers]
            for label in ("churros", "hot_and_sour_soup", "apple_pie")  # the official files are in no order
        }
        (root / f"food-101/meta/{split}.json").write_text(json.dumps(lists))
        expected[split] = [(label, f"food-101/images/{image}.jpg") for label in sorted(lists) for image in lists[label]]
    return _pictures(root, expected)


def pets(root: Path, monkeypatch) -> Expected:
    breeds = {"Abyssinian": 1, "american_bulldog": 2, "Egyptian_Mau": 10, "yorkshire_terrier": 37}
    lists = {
        "train": [
            ("Abyssinian", 100),
            ("yorkshire_terrier", 7),
            ("american_bulldog", 1),
            ("Egyptian_Mau", 3),
        ],
        "test": [
            ("yorkshire_terrier", 8),
            ("american_bulldog", 2),
            ("yorkshire_terrier", 9),
        ],  # no Abyssinian
    }
    expected: Expected = {}
    for split, images in lists.items():
        file = {"train": "trainval", "test": "test"}[split]
        rows = [f"{breed}_{number} {breeds[breed]} {1 + breed.islower()} 1" for breed, number in images]
        write(root / f"oxford-iiit-pet/annotations/{file}.txt", rows)
        expected[split] = [(breed, f"oxford-iiit-pet/images/{breed}_{number}.jpg") for breed, number in images]
    return _pictures(root, expected)


def sun397(root: Path, monkeypatch) -> Expected:
    classes = ["/a/abbey", "/b/bar", "/b/barn", "/c/church/indoor", "/c/church/outdoor"]
    write(root / "SUN397/ClassName.txt", classes)
    expected: Expected = {}
    for split, (file, names) in {
        "train": ("Training_01", ("sun_azz", "sun_bar")),
        "test": ("Testing_01", ("sun_bcd",)),
    }.items():
        images = [(folder[3:], f"{folder}/{name}.jpg") for folder in classes for name in names]
        write(root / f"SUN397/{file}.txt", [image for _, image in images])
        expected[split] = [(label, f"SUN397{image}") for label, image in images]
    picture(root, "SUN397/a/abbey/sun_of_no_list.jpg")
    return _pictures(root, expected)


def voc2007(root: Path, monkeypatch) -> Expected:
    """Write images of several classes, of one, and of none because all their objects are difficult."""
    from sdr.tasks.readers.voc2007 import CLASSES

    base = "VOCdevkit/VOC2007"
    splits = {
        "train": {"000012": {"car": 1}, "000017": {"person": 1, "horse": 1}, "000023": {"bottle": 0}},
        "val": {"000005": {"horse": 1, "sofa": 0}, "000007": {"car": 1}},
        "test": {"000001": {"car": 1, "person": 1}, "000002": {}},
    }
    write(root / base / "ImageSets/Main/trainval.txt", [*splits["train"], *splits["val"]])
    for split, images in splits.items():
        write(root / base / f"ImageSets/Main/{split}.txt", list(images))
        for label in CLASSES:
            rows = [f"{image} {flags.get(label, -1):2d}" for image, flags in images.items()]
            write(root / base / f"ImageSets/Main/{label}_{split}.txt", rows)
    return _pictures(
        root,
        {
            split: [
                (
                    ";".join(sorted(label for label, flag in flags.items() if flag == 1)),
                    f"{base}/JPEGImages/{image}.jpg",
                )
                for image, flags in images.items()
            ]
            for split, images in splits.items()
        },
    )


TREES = {
    tree.__name__: tree
    for tree in (aircraft, caltech101, cars, cifar10, cifar100, dtd, flowers, food, pets, sun397, voc2007)
}
