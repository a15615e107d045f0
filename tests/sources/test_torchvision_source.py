import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.sources import torchvision_source


def test_a_data_set_is_read_by_name_with_its_classes(tmp_path):
    for name in ("cat/a.png", "cat/b.png", "dog/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (6, 6), (ord(name[4]), 0, 0)).save(tmp_path / name)
    entries = list(torchvision_source.entries("ImageFolder", tmp_path))
    assert [(entry.domain, entry.origin) for entry in entries] == [
        ("cat", "torchvision:ImageFolder#0"),
        ("cat", "torchvision:ImageFolder#1"),
        ("dog", "torchvision:ImageFolder#2"),
    ]
    assert [int(entry.load(6).pixels[0, 0, 0]) for entry in entries] == [ord("a"), ord("b"), ord("c")]


def test_an_absent_data_set_is_not_downloaded(tmp_path):
    with pytest.raises(UserError, match=f"torchvision:CIFAR10: not usable from {tmp_path}.*download=True"):
        torchvision_source.entries("CIFAR10", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="no data set CIFAR11; it has .*CIFAR10"):
        torchvision_source.entries("CIFAR11", tmp_path)
