"""A sealed super-net: what was altered, lost or made by another version is seen before it is used."""

import json
import shutil

import pytest

from sdr.base.errors import UserError
from sdr.route.bundle import FILES, SEAL, open_bundle
from tests.route.toys import CPU, make_bundle


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "artifacts", 4, "common")


@pytest.fixture
def folder(sealed, tmp_path):
    return shutil.copytree(sealed, tmp_path / "artifacts")


def test_it_opens(folder):
    bundle = open_bundle(folder, CPU)
    assert bundle.trained.n_subnets == 4 and bundle.trained.common and bundle.size == 16
    assert bundle.sizes.tolist() == [10, 11, 12, 13] and bundle.clusters.centroids.shape == (4, 16)
    assert bundle.baseline.num_features == bundle.trained.subnet(0).num_features


@pytest.mark.parametrize("file", [*FILES, SEAL])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(UserError, match=f"{file}: not found; pull the super-net again"):
        open_bundle(folder, CPU)


@pytest.mark.parametrize("file", FILES)
def test_an_altered_file_is_named(folder, file):
    content = bytearray((folder / file).read_bytes())
    content[-2] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(UserError, match=f"{file}: altered since"):
        open_bundle(folder, CPU)


def test_another_format_is_told(folder):
    sealed = json.loads((folder / SEAL).read_text())
    (folder / SEAL).write_text(json.dumps(sealed | {"format": 99}))
    with pytest.raises(UserError, match="a super-net of format 99, this version reads 2"):
        open_bundle(folder, CPU)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}'])
def test_no_seal_is_told(folder, text):
    (folder / SEAL).write_text(text)
    with pytest.raises(UserError, match="not a seal"):
        open_bundle(folder, CPU)


def test_no_directory_is_told(tmp_path):
    with pytest.raises(UserError, match="nowhere: not found; it should be a directory with sdrnet"):
        open_bundle(tmp_path / "nowhere", CPU)
