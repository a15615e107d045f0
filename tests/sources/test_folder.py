import pytest
from PIL import Image

from sdr.base.errors import UserError
from sdr.sources import folder


def _images(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (len(name), 0, 0)).save(root / name)


def test_the_first_folder_of_a_path_is_the_domain(tmp_path):
    _images(tmp_path, "cats/a.png", "cats/old/b.png", "dogs/c.jpg", "top.png")
    assert [(entry.domain, entry.origin) for entry in folder.tree(tmp_path)[0]] == [
        ("cats", "cats/a.png"),
        ("cats", "cats/old/b.png"),
        ("dogs", "dogs/c.jpg"),
        ("all", "top.png"),
    ]
    assert folder.tree(tmp_path)[0][0].load(8).width == 9


def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(UserError, match="is empty; put images into it"):
        folder.tree(tmp_path)


def test_imagenet_takes_jpegs_below_train(tmp_path):
    _images(tmp_path, "train/n01/a.jpeg", "train/n02/b.jpg", "val/c.jpeg")
    (tmp_path / "train/n01/a.jpeg").rename(tmp_path / "train/n01/a.JPEG")
    (tmp_path / "train/n01/notes.txt").touch()
    entries, _ = folder.imagenet(tmp_path)
    assert [(entry.domain, entry.origin) for entry in entries] == [
        ("n01", "train/n01/a.JPEG"),
        ("n02", "train/n02/b.jpg"),
    ]


def test_imagenet_says_what_it_expects(tmp_path):
    with pytest.raises(UserError, match="train: not found; source `imagenet` expects SDR_DATA/train/WNID"):
        folder.imagenet(tmp_path)
    (tmp_path / "train/n01").mkdir(parents=True)
    with pytest.raises(UserError, match="no WNID/\\*.JPEG in it"):
        folder.imagenet(tmp_path)
