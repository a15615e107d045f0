"""What an entry of `compare` may say."""

import pytest
import yaml

from sdr.base.errors import UserError
from sdr.base.params import load
from sdr.compare.compare import Checkpoint, CompareSpec, Random, RawPixels, Timm, Torchvision
from sdr.compare.layouts import LAYOUTS

# The systems of the paper's Table 1.
SYSTEMS = [
    "supervised",
    "insdis",
    "moco_v1",
    "moco_v2",
    "pirl",
    "pcl_v1",
    "pcl_v2",
    "simclr_v1",
    "simclr_v2",
    "infomin",
    "sela_v2",
    "deepcluster_v2",
    "swav",
    "simsiam",
    "byol",
]


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """Read one entry from params.yaml, as the stage does."""
    monkeypatch.chdir(tmp_path)

    def read(text):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"compare": {"it": yaml.safe_load(text)}}))
        return load(compare__it=CompareSpec)["compare__it"]

    return read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{source: random}", Random(source="random")),
        ("{source: pixels}", RawPixels(source="pixels", side=32)),
        (
            "{source: torchvision, model: resnet18, weights: null}",
            Torchvision(source="torchvision", model="resnet18", weights=None),
        ),
        (
            "{source: timm, model: vit_small_patch16_224.dino}",
            Timm(source="timm", model="vit_small_patch16_224.dino", pretrained=True, img_size=None),
        ),
        (
            "{source: checkpoint, layout: plain, file: a.pth, prefix: backbone., drop: [head.*]}",
            Checkpoint(
                source="checkpoint",
                layout="plain",
                file="a.pth",
                sha256=None,
                normalise=None,
                model="resnet50",
                prefix="backbone.",
                drop=["head.*"],
            ),
        ),
    ],
)
def test_entries(entry, text, expected):
    assert entry(text) == expected


def test_every_system_of_table_1_has_a_layout(entry):
    for name in [*SYSTEMS, "plain", "timm_local"]:
        assert entry(f"{{source: checkpoint, layout: {name}, file: a.pth}}").layout == name
    assert set(SYSTEMS) | {"plain", "lightly"} == set(LAYOUTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{source: hub}", "`compare.it`.*'hub'"),
        ("{source: pixels, side: 0}", "side`: input should be greater than 0"),
        ("{source: random, width: 3}", "width`: unknown parameter"),
        ("{source: checkpoint, layout: moco, file: a}", "layout`: input should be .*'moco_v2'"),
        ("{source: checkpoint, layout: moco_v2}", "file`: missing"),
        ("{source: checkpoint, layout: moco_v2, file: a, sha256: abc}", "sha256`"),
        (
            "{source: checkpoint, layout: moco_v2, file: a, prefix: b}",
            "`prefix` and `drop` are for layout plain",
        ),
        ("{source: checkpoint, layout: moco_v2, file: a, normalise: maybe}", "normalise`"),
        ("{source: torchvision, model: vgg16, weights: null}", "model`: input should be 'resnet18'"),
        ("{source: torchvision, model: resnet18}", "weights`: missing"),
        ("{source: timm, model: 'local-dir:somewhere'}", "model`: string should match"),
    ],
)
def test_bad_entries(entry, text, message):
    with pytest.raises(UserError, match=message):
        entry(text)
