"""The stage `prune`, on a tiny baseline of the super-net's width: its folder is a backbone like any other."""

import json

import numpy as np
import pytest
import torch
import yaml

import stages.evaluate
import stages.prune
from sdr.compare.prune import structured, unstructured
from sdr.corpus.store import write_images
from sdr.nets.backbone import Backbone, resnet
from sdr.nets.calibrate import calibrate
from sdr.nets.embed import evaluation_view
from sdr.nets.folder import load_backbone, load_resnet
from sdr.nets.heads import Heads
from sdr.ssl.folder import count, save_network
from sdr.ssl.simsiam import SimSiam
from tests.compare.checkpoints import SUBNET as SPEC
from tests.compare.checkpoints import randomise
from tests.evaluate.tasks import write_task
from tests.stages.program import run

CPU = torch.device("cpu")
HEADS = Heads(projection=8, hidden=8, layers=2, output_norm=True, prediction=4)
PARAMS = {
    "seed": 0,
    "processes": 1,
    "backbone": SPEC.model_dump(),
    "calibrate": {"source": "cluster", "images": 64},
    "embed": {"side": 12, "batch_size": 8},
    "knn": {"k": 3, "temperature": 0.07},
    "linear": {
        "penalties": 5,
        "log10_min": -2,
        "log10_max": 2,
        "tolerance": 1e-6,
        "max_iterations": 50,
        "val_fraction": 0.2,
    },
    "tasks": {"colours": {}},
    "networks": ["filters"],
    "pruned": {"filters": {"how": "structured"}, "weights": {"how": "unstructured"}, "w0": {"how": "structured"}},
}
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the corpus and the baseline, as the stages before leave them."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    (tmp_path / "artifacts/data").mkdir(parents=True)
    rows = [("noise", f"{i}", f"{i}", 768, 16, 16, image.tobytes()) for i, image in enumerate(IMAGES)]
    write_images(tmp_path / "artifacts/data", "decoded", rows, {})
    meta = {"n": len(IMAGES), "size": 16, "store": "decoded"}
    (tmp_path / "artifacts/data/meta.json").write_text(json.dumps(meta))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDR_DEVICE", "cpu")
    for name in ("DVC_STAGE", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write_baseline(workplace, spec):
    """Write a baseline of these widths; return its backbone."""
    torch.manual_seed(0)
    network = SimSiam(spec, spec.supernet_widths, HEADS)
    randomise(network.backbone)
    (workplace / "artifacts/baseline").mkdir()
    save_network(workplace / "artifacts/baseline", network, spec, HEADS)
    return network.backbone


def wide_baseline(workplace):
    fields = SPEC.model_dump() | {"shared": list(SPEC.supernet_widths), "group": [0] * 4, "groups": 1}
    return write_baseline(workplace, Backbone(**fields))


@pytest.mark.parametrize("name", ["filters", "weights"])
def test_it_is_pruned_and_measured_on_the_corpus_as_the_baseline_is(workplace, monkeypatch, name):
    wide = wide_baseline(workplace)
    run(stages.prune, monkeypatch, name)
    folder = workplace / f"artifacts/backbones/{name}"
    size = count(resnet(SPEC, SPEC.subnet_widths))
    expected = structured(wide, SPEC) if name == "filters" else unstructured(wide, size)
    calibrate(expected, evaluation_view(IMAGES, 12, CPU))
    x = evaluation_view(IMAGES[:4], 12, CPU)
    with torch.no_grad():
        torch.testing.assert_close(load_backbone(folder, CPU)(x), expected(x), atol=1e-5, rtol=1e-5)
    assert sum(int(p.count_nonzero()) for p in load_resnet(folder).parameters()) == size
    assert json.loads((folder / "pruned.json").read_text()) == {
        "how": PARAMS["pruned"][name]["how"],
        "widths": list(SPEC.subnet_widths if name == "filters" else SPEC.supernet_widths),
        "of": count(wide),
        "nonzero": size,
    }


def test_it_is_written_the_same_each_time(workplace, monkeypatch):
    wide_baseline(workplace)
    folder, seen = workplace / "artifacts/backbones/weights", []
    for _ in range(2):
        run(stages.prune, monkeypatch, "weights")
        seen.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert seen[0] == seen[1] and set(seen[0]) == {"model.safetensors", "config.json", "pruned.json"}


def test_it_is_evaluated_as_any_network_of_compare(workplace, monkeypatch):
    wide_baseline(workplace)
    write_task(workplace / "artifacts/tasks/colours")
    run(stages.prune, monkeypatch, "filters")
    run(stages.evaluate, monkeypatch, "colours", "filters")
    result = json.loads((workplace / "artifacts/eval/filters/colours.json").read_text())
    assert result["networks"]["filters"]["dim"] == SPEC.subnet_widths[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "NAME is one of `pruned`: filters, w"),
        (["other"], "`other` is not in `pruned`"),
        (["w0"], "pruned.w0: a column of our own tables has this name"),
        (
            ["filters"],
            "pruned.filters: the baseline has already a sub-net's size; set pretrain.width: supernet",
        ),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(workplace, monkeypatch, arguments, message):
    write_baseline(workplace, SPEC.single())
    before = sorted(workplace.rglob("*"))
    with pytest.raises(SystemExit) as left:
        run(stages.prune, monkeypatch, *arguments)
    assert left.value.code.startswith("error: ") and message in left.value.code
    assert "\n" not in left.value.code
    assert sorted(workplace.rglob("*")) == before
