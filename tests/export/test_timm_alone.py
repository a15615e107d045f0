"""An export in an environment that has timm and what timm needs, and nothing of this project."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from uv import find_uv_bin

from sdr.export.portable import write_program
from sdr.nets.embed import evaluation_view
from sdr.nets.pixels import STD
from tests.export.toys import SIZE, SPECS, exported

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of a new environment into which timm was installed, in the versions of this one."""
    home = tmp_path_factory.mktemp("alone") / "venv"
    wanted = [f"{package}=={version(package)}" for package in ("timm", "torch", "torchvision")]
    uv, place = find_uv_bin(), home / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, home], check=True)
    done = subprocess.run([uv, "pip", "install", "-q", "--python", place, *wanted], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"timm cannot be installed here: {done.stderr}")  # neither an index nor uv's cache
    return place


def run(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess:
    """Run it isolated (-I): no PYTHONPATH, user's packages or current folder on its path."""
    return subprocess.run([python, "-I", *arguments], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module", params=SPECS)
def read(request, python, tmp_path_factory):
    """The backbone, what was given to the reader, and what came back: arrays and a report."""
    folder = tmp_path_factory.mktemp("exported")
    network = exported(request.param, folder)
    write_program(network, SIZE, folder / "model.pt2")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3, 3, SIZE, SIZE), dtype=np.float32)
    np.save(folder / "images.npy", images)
    picture = rng.integers(80, 176, (150, 150, 3), dtype=np.uint8)
    Image.fromarray(picture).save(folder / "picture.png")
    done = run(python, Path(__file__).with_name("timm_reader.py"), folder)
    assert done.returncode == 0, done.stderr
    return network, torch.from_numpy(images), picture, np.load(folder / "read.npz"), json.loads(done.stdout)


def test_this_project_is_not_there(python, read):
    failed = run(python, "-c", "import sdr")
    assert failed.returncode == 1 and "No module named 'sdr'" in failed.stderr
    assert not read[4]["sdr"] and read[4]["timm"].startswith(str(python.parents[1]))


def test_features_are_ours(read):
    network, images, _, arrays, _ = read
    with torch.no_grad():
        ours = network(images).numpy()
    assert ours.dtype == arrays["features"].dtype == arrays["program"].dtype == np.float32
    assert np.abs(ours - arrays["features"]).max() < 1e-5
    assert np.abs(ours - arrays["program"]).max() < 1e-5


def test_the_maps_of_all_stages(read):
    network, images, _, arrays, report = read
    widths = [info["num_chs"] for info in network.feature_info]
    assert report["strides"] == [2, 4, 8, 16, 32]
    assert report["shapes"] == [[3, c, SIZE // s, SIZE // s] for c, s in zip(widths, report["strides"])]
    with torch.no_grad():
        ours = network.forward_features(images).numpy()
    assert np.abs(ours - arrays["last_map"]).max() < 1e-5


def test_a_picture_is_shown_as_ours_are(read):
    """Within one level of 255. Both resize with the same bicubic weights, but Pillow along one axis after the other,
    with bytes between them, and we at once. The rounding between makes one level at most where no value leaves
    0 to 255 on the way, as in this picture. At edges of black and white Pillow also cuts off what overshoots along
    the first axis: a few pixels differ by more there, while the mean stays far below one level."""
    _, _, picture, arrays, _ = read
    ours = evaluation_view(picture[None], SIZE, torch.device("cpu"))[0].numpy()
    levels = np.abs(ours - arrays["view"]) * 255 * np.array(STD)[:, None, None]
    assert levels.max() < 1.001 and levels.mean() < 0.3
