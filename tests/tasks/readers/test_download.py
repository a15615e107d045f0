"""Downloads, from a stand-in for the network: addresses of whole archives, or of nothing."""

import io
import tarfile
import urllib.error
import zipfile
from pathlib import Path

import pytest

from sdr.base.errors import UserError
from sdr.tasks.readers.registry import READERS
from tests.tasks.readers.trees import TREES

DOWNLOADABLE = [name for name, reader in READERS.items() if reader.download is not None]


class _Response(io.BytesIO):
    def __init__(self, url: str, content: bytes):
        super().__init__(content)
        self.url, self.length = url, len(content)


@pytest.fixture
def net(monkeypatch):
    """Return the files of the network by the end of their address; checksums of archives count as right."""
    served: dict[str, bytes] = {}

    def urlopen(request, *_, **__):
        for end, content in served.items():
            if request.full_url.endswith(end):
                return _Response(request.full_url, content)
        raise urllib.error.URLError("[Errno -2] Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr("torchvision.datasets.utils.check_md5", lambda *_, **__: True)
    return served


@pytest.fixture
def root(tmp_path):
    (tmp_path / "tasks").mkdir()
    return tmp_path / "tasks"


@pytest.fixture
def publish(tmp_path, monkeypatch, net):
    """Return a function that serves a data set's archives under their official names and returns their content."""

    def run(name: str) -> Path:
        source = tmp_path / "source"
        TREES[name](source, monkeypatch)
        net.update(_archives(name, source))
        return source

    return run


def _tar(base: Path, name: str, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        archive.add(base / name, name)
    return buffer.getvalue()


def _archives(name: str, source: Path) -> dict[str, bytes]:
    match name:
        case "aircraft":
            return {"fgvc-aircraft-2013b.tar.gz": _tar(source, "fgvc-aircraft-2013b")}
        case "caltech101":
            return _caltech(source)
        case "cifar10":
            return {"cifar-10-python.tar.gz": _tar(source, "cifar-10-batches-py")}
        case "cifar100":
            return {"cifar-100-python.tar.gz": _tar(source, "cifar-100-python")}
        case "dtd":
            return {"dtd-r1.0.1.tar.gz": _tar(source / "dtd", "dtd")}
        case "flowers":
            base = source / "flowers-102"
            lists = {file: (base / file).read_bytes() for file in ("imagelabels.mat", "setid.mat")}
            return {"102flowers.tgz": _tar(base, "jpg")} | lists
        case "food":
            return {"food-101.tar.gz": _tar(source, "food-101")}
        case "pets":
            base = source / "oxford-iiit-pet"
            return {f"{folder}.tar.gz": _tar(base, folder) for folder in ("images", "annotations")}
        case "voc2007":
            archive = _tar(source, "VOCdevkit", mode="w")
            return {f"VOC{part}_06-Nov-2007.tar": archive for part in ("trainval", "test")}
    raise KeyError(name)


def _caltech(source: Path) -> dict[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        images = _tar(source / "caltech101", "101_ObjectCategories")
        archive.writestr("caltech-101/101_ObjectCategories.tar.gz", images)
    folder = "/linusericsson/ssl-transfer/416913f6ab567ac13e974cacc794e20c8be1c607/caltech101-splits"
    lists = source / "caltech101/caltech101-splits"
    return {"caltech-101.zip": buffer.getvalue()} | {
        f"{folder}/{path.name}": path.read_bytes() for path in lists.iterdir()
    }


@pytest.mark.parametrize("name", DOWNLOADABLE)
def test_what_was_downloaded_can_be_read(name, net, root, publish):
    source = publish(name)
    READERS[name].download(root)
    found, given = READERS[name].read(root), READERS[name].read(source)
    assert [[entry.origin for entry in entries] for entries in found.values()] == [
        [entry.origin for entry in entries] for entries in given.values()
    ]
    left = [path for path in root.rglob("*") if path.suffix in (".gz", ".tgz", ".tar", ".zip")]
    assert left == [] and not list(root.glob(".*"))
    net.clear()
    READERS[name].download(root)  # all is there: nothing to ask the network for


@pytest.mark.parametrize("name", DOWNLOADABLE)
def test_without_a_network_the_message_says_where_to_get_the_files(name, net, root):
    with pytest.raises(UserError) as caught:
        READERS[name].download(root)
    message = str(caught.value)
    assert message.startswith(f"data set {name}: the download of {READERS[name].folders[0]}")
    assert "Name or service not known" in message
    assert str(root) in message and message.endswith(READERS[name].get)
    assert list(root.iterdir()) == []


def test_an_archive_cut_short_leaves_nothing_behind(net, root, publish):
    publish("aircraft")
    net["fgvc-aircraft-2013b.tar.gz"] = net["fgvc-aircraft-2013b.tar.gz"][:-200]
    with pytest.raises(UserError, match="data set aircraft: the download of .* failed"):
        READERS["aircraft"].download(root)
    assert list(root.iterdir()) == []


def test_the_second_archive_that_fails_leaves_nothing_behind(net, root, publish):
    publish("voc2007")
    del net["VOCtest_06-Nov-2007.tar"]
    with pytest.raises(UserError, match="data set voc2007: the download"):
        READERS["voc2007"].download(root)
    assert list(root.iterdir()) == []


def test_what_lies_in_the_same_folder_stays(root, publish):
    publish("voc2007")
    (root / "VOCdevkit/VOC2012").mkdir(parents=True)
    (root / "VOCdevkit/VOC2012/mine.txt").write_text("mine")
    READERS["voc2007"].download(root)
    assert (root / "VOCdevkit/VOC2012/mine.txt").read_text() == "mine"
    assert READERS["voc2007"].read(root)
