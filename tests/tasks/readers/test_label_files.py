"""Label files that are older, damaged, or contradict what else is there."""

import json
import os
import pickle

import pytest
import torchvision

from sdr.base.errors import UserError
from sdr.tasks.readers.registry import READERS
from tests.tasks.readers.trees import TREES, car_annotations, picture, write


def _append(path, line):
    with path.open("a") as file:
        file.write(f"{line}\n")


def _replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _fails(name, root, *parts):
    """Assert that reading ends in one message with all the parts, in that order."""
    with pytest.raises(UserError) as caught:
        READERS[name].read(root)
    rest = str(caught.value)
    for part in parts:
        assert str(part) in rest, caught.value
        rest = rest.partition(str(part))[2]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_aircraft_unknown_class(split, tmp_path, monkeypatch):
    TREES["aircraft"](tmp_path, monkeypatch)
    label_file = tmp_path / f"fgvc-aircraft-2013b/data/images_variant_{split}.txt"
    _append(label_file, "0034309 Wright Flyer")
    _fails("aircraft", tmp_path, f"{label_file}: ", "unknown class", "'Wright Flyer'")


def test_aircraft_line_without_a_class(tmp_path, monkeypatch):
    TREES["aircraft"](tmp_path, monkeypatch)
    label_file = tmp_path / "fgvc-aircraft-2013b/data/images_variant_val.txt"
    _append(label_file, "0034309")
    _fails("aircraft", tmp_path, f"{label_file}: ", "cut short or damaged", "unpack")


@pytest.mark.parametrize("number", [0, 4])
def test_cars_unknown_class(number, tmp_path, monkeypatch):
    TREES["cars"](tmp_path, monkeypatch)
    label_file = tmp_path / "stanford_cars/cars_test_annos_withlabels.mat"
    car_annotations(label_file, (1, number, 2))
    _fails("cars", tmp_path, f"{label_file}: unknown class {number} of 00002.jpg", "1…3")


@pytest.mark.parametrize("kept", [0, 100, 300, -10])
def test_cars_labels_cut_short(kept, tmp_path, monkeypatch):
    TREES["cars"](tmp_path, monkeypatch)
    label_file = tmp_path / "stanford_cars/devkit/cars_train_annos.mat"
    label_file.write_bytes(label_file.read_bytes()[:kept])
    _fails("cars", tmp_path, f"{label_file}: ", "cut short or damaged", "unpack")


def test_flowers_labels_that_are_not_the_official_ones(tmp_path, monkeypatch):
    TREES["flowers"](tmp_path, monkeypatch)
    with (tmp_path / "flowers-102/imagelabels.mat").open("ab") as file:
        file.write(b"\0")
    _fails("flowers", tmp_path, "flowers-102/setid.mat: its checksum, or that of a file beside it")


def test_food_labels_cut_short(tmp_path, monkeypatch):
    TREES["food"](tmp_path, monkeypatch)
    label_file = tmp_path / "food-101/meta/test.json"
    label_file.write_text(label_file.read_text()[:-5])
    _fails("food", tmp_path, f"{label_file}: ", "cut short or damaged")


def test_dtd_without_a_list(tmp_path, monkeypatch):
    TREES["dtd"](tmp_path, monkeypatch)
    label_file = tmp_path / "dtd/dtd/labels/val1.txt"
    label_file.unlink()
    _fails("dtd", tmp_path, f"{label_file}: ", "No such file", "unpack")


@pytest.mark.parametrize("number", [0, 38])
def test_pets_unknown_class(number, tmp_path, monkeypatch):
    TREES["pets"](tmp_path, monkeypatch)
    label_file = tmp_path / "oxford-iiit-pet/annotations/trainval.txt"
    _append(label_file, f"dragon_1 {number} 1 1")
    picture(tmp_path, "oxford-iiit-pet/images/dragon_1.jpg")
    _fails("pets", tmp_path, f"{label_file}: unknown class {number} of dragon_1.jpg", "1…37")


def test_caltech_with_the_older_list_that_repeats_images(tmp_path, monkeypatch):
    expected = TREES["caltech101"](tmp_path, monkeypatch)
    label_file = tmp_path / "caltech101/caltech101-splits/train.txt"
    first = label_file.read_text().splitlines()[0]
    write(label_file, [first, first, *label_file.read_text().splitlines()[1:]])
    entries = READERS["caltech101"].read(tmp_path)["train"]
    origins = [origin for _, origin in expected["train"]]
    assert [entry.origin for entry in entries] == [origins[0], *origins]
    older = {"train": [None] * 3060, "test": [None] * 6728}
    assert READERS["caltech101"].unlike(older) == {}
    assert READERS["caltech101"].unlike(older | {"train": [None] * 3059}) == {"train": (3059, 2416)}
    assert READERS["caltech101"].unlike(older | {"test": [None] * 3060}) == {"test": (3060, 6728)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dragon/image_0001.jpg 3", "unknown class dragon"),
        ("Faces/image_0001.jpg 2", "class Faces has number 2, as accordion has"),
        ("Faces/image_0001.jpg", "is not CLASS/IMAGE NUMBER; get it from"),
        ("image_0001.jpg 1", "is not CLASS/IMAGE NUMBER; get it from"),
    ],
)
def test_caltech_line_that_cannot_be(line, message, tmp_path, monkeypatch):
    TREES["caltech101"](tmp_path, monkeypatch)
    label_file = tmp_path / "caltech101/caltech101-splits/test.txt"
    write(label_file, [line, "accordion/image_0001.jpg 2"])
    _fails("caltech101", tmp_path, f"{label_file}, line ", message)


def test_sun_unknown_class(tmp_path, monkeypatch):
    TREES["sun397"](tmp_path, monkeypatch)
    label_file = tmp_path / "SUN397/Testing_01.txt"
    _append(label_file, "/z/zeppelin/sun_azz.jpg")
    _fails("sun397", tmp_path, f"{label_file}, line 6: ", "unknown class /z/zeppelin", "ClassName.txt")


def test_sun_without_a_list_says_where_to_get_it(tmp_path, monkeypatch):
    TREES["sun397"](tmp_path, monkeypatch)
    (tmp_path / "SUN397/Training_01.txt").unlink()
    _fails("sun397", tmp_path, "data set sun397: SUN397/Training_01.txt not found in", "Partitions.zip")


def test_voc_flag_that_is_none(tmp_path, monkeypatch):
    TREES["voc2007"](tmp_path, monkeypatch)
    label_file = tmp_path / "VOCdevkit/VOC2007/ImageSets/Main/horse_train.txt"
    _replace(label_file, "000017  1", "000017  2")
    _fails("voc2007", tmp_path, f"{label_file}, line 2: ", "is not IMAGE and one of 1, 0, -1")


def test_voc_lists_that_differ_in_their_images(tmp_path, monkeypatch):
    TREES["voc2007"](tmp_path, monkeypatch)
    label_file = tmp_path / "VOCdevkit/VOC2007/ImageSets/Main/horse_val.txt"
    _append(label_file, "000099 -1")
    _fails("voc2007", tmp_path, f"{label_file}: image 000099 is only in one of", "aeroplane_val.txt")


def test_voc_without_a_class(tmp_path, monkeypatch):
    TREES["voc2007"](tmp_path, monkeypatch)
    label_file = tmp_path / "VOCdevkit/VOC2007/ImageSets/Main/tvmonitor_test.txt"
    label_file.unlink()
    _fails("voc2007", tmp_path, f"{label_file}: not found")


@pytest.mark.parametrize(
    ("name", "file"), [("cifar10", "cifar-10-batches-py/data_batch_3"), ("cifar100", "cifar-100-python/meta")]
)
def test_a_pickle_that_is_not_the_official_one_is_not_run(name, file, tmp_path, monkeypatch):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it-ran"),)

    TREES[name](tmp_path, monkeypatch)
    (tmp_path / file).write_bytes(pickle.dumps(Malicious()))
    _fails(name, tmp_path, tmp_path / file.partition("/")[0], "its checksum, or that of a file beside it")
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aircraft", "FGVCAircraft"),
        ("cars", "StanfordCars"),
        ("cifar10", "CIFAR10"),
        ("cifar100", "CIFAR100"),
        ("dtd", "DTD"),
        ("food", "Food101"),
        ("pets", "OxfordIIITPet"),
    ],
)
def test_labels_and_pictures_belong_together_as_torchvisions_items_do(name, kind, tmp_path, monkeypatch):
    """An item of torchvision's public interface is a picture and a class number."""
    TREES[name](tmp_path, monkeypatch)
    test = {"train": False} if name.startswith("cifar") else {"split": "test"}
    dataset = getattr(torchvision.datasets, kind)(tmp_path, **test)
    if name == "pets":  # its names do not fit its numbers where a breed is absent
        names = {36: "yorkshire_terrier", 1: "american_bulldog"}
    else:
        names = dict(enumerate(dataset.classes))
    items = [(names[number], image.getpixel((5, 5))) for image, number in map(dataset.__getitem__, range(len(dataset)))]
    ours = [(entry.domain, tuple(entry.load(10)[4][5, 5].tolist())) for entry in READERS[name].read(tmp_path)["test"]]
    assert sorted(ours) == sorted(items)


def test_readable_names_of_flowers_differ():
    names = torchvision.datasets.Flowers102.classes
    assert len(set(names)) == len(names) == READERS["flowers"].n_classes


def test_a_food_list_that_names_a_class_without_pictures(tmp_path, monkeypatch):
    TREES["food"](tmp_path, monkeypatch)
    label_file = tmp_path / "food-101/meta/train.json"
    lists = json.loads(label_file.read_text())
    label_file.write_text(json.dumps(lists | {"gruel": ["gruel/1"]}))
    _fails("food", tmp_path, f"{label_file}: 1 of the 7 pictures", "gruel/1.jpg")
