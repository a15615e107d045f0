"""The command `sdr` on a small super-net and a folder of pictures."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from sdr.nets.embed import evaluation_view
from sdr.route.bundle import open_bundle
from sdr.route.candidates import Choice, backbone_of
from sdr.route.default import ROUTE
from tests.route.toys import CPU, make_bundle, striped_task


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A super-net of four sub-nets in `net`, pictures of three classes in `pictures`."""
    root = tmp_path_factory.mktemp("workplace")
    make_bundle(root / "net", 4, "common")
    task = striped_task(30)
    for i, (image, label) in enumerate(zip(task.images, task.targets)):
        path = root / f"pictures/class {label}/{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


@pytest.fixture
def run(workplace, sdr):
    """Run a command line in a new folder; return what it printed, or its error. NET and PICTURES stand for paths."""
    words = {"NET": workplace / "net", "PICTURES": workplace / "pictures"}
    return lambda line: sdr(*(words.get(word, word) for word in line.split()))


def load(path):
    return timm.create_model(f"local-dir:{path}", pretrained=True).eval()


@pytest.mark.parametrize("method", ["exhaustive", "tree", "halving"])
def test_route_chooses_ranks_and_exports(run, tmp_path, method):
    said = run(f"route --supernet NET --images PICTURES --out mine --method {method}")
    route = json.loads((tmp_path / "mine/route.json").read_text())
    assert f"best sub-net {route['value']:.2f}" in said and f"search {method}" in said
    with (tmp_path / "mine/ranking.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["rank"]) for row in rows] == [1, 2, 3, 4] and int(rows[0]["subnet"]) == route["subnet"]
    assert route["images"] == 30 and route["tried"] == 4 and route["method"] == method
    card = (tmp_path / "mine/README.md").read_text()
    assert "sdr route --supernet" in card and "local-dir" in card and "pictures" in card
    assert load(tmp_path / "mine")(torch.zeros(2, 3, 16, 16)).shape == (2, 16)
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("options", "rule", "network"),
    [
        ("--candidates subnets", "best", "subnet"),
        ("--candidates w0", "best", "w0"),
        ("--candidates subnets --score logme", "margin", "baseline"),  # no lead is so many standard errors
    ],
)
def test_what_the_verdict_says_is_shown_and_exported_and_the_choice_beside_it(
    run, tmp_path, workplace, monkeypatch, options, rule, network
):
    selection = ROUTE.selection.model_copy(update={"rule": rule, "margin": 100.0})
    monkeypatch.setattr("sdr.route.default.ROUTE", ROUTE.model_copy(update={"selection": selection}))
    said = run(f"route --supernet NET --images PICTURES --out mine {options}")
    route = json.loads((tmp_path / "mine/route.json").read_text())
    choice, advised, gain = route["choice"], route["recommended"], route["gain"]
    assert choice["network"] == network
    expected = {"take it": network, "try the super-net": "w0"}.get(route["verdict"], "baseline")
    assert advised["network"] == expected
    shown = dict(re.split(" {2,}", line, maxsplit=1) for line in said.splitlines() if re.search(" {2,}", line))
    assert shown["network"] == advised["name"] and shown["statistics"] == advised["statistics"]
    assert shown.get("path") == advised["path"] and shown["verdict"] == route["verdict"]
    assert f"{gain['mean']:+.2f}" in shown["gain"] and f"{gain['low']:+.2f} to {gain['high']:+.2f}" in shown["gain"]
    assert "timm.create_model('local-dir:mine', pretrained=True)" in said
    beside = tmp_path / "mine/choice"  # the choice, where it is not what the verdict says to take
    assert beside.is_dir() == (choice != advised) == ("choice" in shown)
    bundle, x = open_bundle(workplace / "net", CPU), torch.randn(2, 3, 16, 16)
    for found, folder in ((advised, tmp_path / "mine"), (choice, beside if beside.is_dir() else tmp_path / "mine")):
        card = (folder / "README.md").read_text()
        assert f"# {found['name']}".replace("_", r"\_") in card and f"of {found['statistics']}" in card
        assert (folder / "samples").is_dir() == (found["network"] == "subnet")
        with torch.inference_mode():
            own = backbone_of(Choice(found["kind"], found["number"]), bundle.trained, bundle.baseline)(x)
            torch.testing.assert_close(load(folder)(x), own, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("option", "features"), [("--subnet 3", 16), ("--w0", 24), ("--baseline", 16)])
def test_export_and_embed(run, tmp_path, workplace, option, features):
    run(f"export --supernet NET {option} --out net")
    assert "30 × " in run("embed --backbone net --images PICTURES --out features.npz")
    with np.load(tmp_path / "features.npz") as found:
        assert found["features"].shape == (30, features) and found["features"].dtype == np.float32
        assert found["classes"].tolist() == ["class 0", "class 1", "class 2"]
        assert found["paths"][0].startswith("class 0/") and found["labels"].tolist() == [0] * 10 + [1] * 10 + [2] * 10
        picture = np.asarray(Image.open(workplace / "pictures" / str(found["paths"][4])))[None]
        with torch.inference_mode():
            expected = load(tmp_path / "net")(evaluation_view(picture, 16, CPU)).numpy()
        np.testing.assert_allclose(found["features"][4:5], expected, rtol=1e-4, atol=1e-5)


def test_programs_beside_it(run, tmp_path):
    pytest.importorskip("onnx")
    run("export --supernet NET --subnet 0 --out net --onnx --program")
    names = {path.name for path in (tmp_path / "net").iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md", "samples", "model.onnx", "model.pt2"}


def test_inspect(run):
    said = run("inspect NET")
    assert "4, " in said and "noise, 100 images" in said and "10 to 13 images" in said and "all as sealed" in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("route --supernet nowhere --images PICTURES --out mine", "nowhere: not found"),
        ("route --supernet NET --images nowhere --out mine", "nowhere: not found; it should be a folder with a"),
        ("route --supernet NET --images empty --out mine", "empty: this folder is empty; it should hold a sub-folder"),
        ("route --supernet NET --images one --out mine", "one: 1 class folders"),
        ("route --supernet NET --images hollow --out mine", "hollow/b: this class folder is empty"),
        ("route --supernet NET --images PICTURES --out mine --prior 0", "--prior 0: give a share"),
        (
            "route --supernet NET --images single --out mine",
            "single/b: 1 readable pictures; a class needs at least 2",
        ),
        ("export --supernet NET --subnet 4 --out mine", "no sub-net 4: the super-net has 0 to 3"),
        ("export --supernet NET --subnet 0 --out taken", "taken: is there already"),
        ("export --supernet NET --subnet 0 --out taken --force", "--force replaces only what this command wrote"),
        ("embed --backbone NET --images PICTURES --out f.npz", "config.json: not found; --backbone takes"),
        ("inspect nowhere", "nowhere: not found"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(run, tmp_path, line, says):
    for name in ("empty", "one/a", "hollow/a", "hollow/b", "single/a", "single/b", "taken"):
        (tmp_path / name).mkdir(parents=True)
    for i, name in enumerate(("one/a", "hollow/a", "single/a", "single/a", "single/b")):
        Image.new("RGB", (20, 20), (i, i, i)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "taken/thesis.txt").write_text("mine")
    before = {path for path in tmp_path.rglob("*")}
    error = run(line)
    assert error.startswith("error: ") and says in error and len(error.splitlines()) == 1
    assert {path for path in tmp_path.rglob("*")} == before


def test_unreadable_files_are_left_out_if_asked(run, tmp_path, workplace):
    shutil.copytree(workplace / "pictures", tmp_path / "mine")
    (tmp_path / "mine/class 0/0.png").write_bytes(b"no picture")
    line = "route --supernet NET --images mine --out found"
    assert "class 0/0.png" in run(line) and not (tmp_path / "found").exists()
    run(f"{line} --max-bad-fraction 0.1")
    assert json.loads((tmp_path / "found/route.json").read_text())["images"] == 29


def test_what_it_wrote_is_replaced_if_asked(run, tmp_path):
    run("export --supernet NET --subnet 0 --out mine")
    assert "is there already" in run("export --supernet NET --subnet 1 --out mine")
    run("export --supernet NET --subnet 1 --out mine --force")
    assert "sub-net 1" in (tmp_path / "mine/README.md").read_text()


def test_splits_are_not_taken_for_classes(run, tmp_path, workplace):
    for split in ("train", "Test"):
        shutil.copytree(workplace / "pictures", tmp_path / f"my birds/{split}")
    for command in (
        "route --supernet NET --images 'my birds' --out x",
        "embed --backbone net --images birds --out x.npz",
    ):
        (tmp_path / "birds").unlink(missing_ok=True)
        (tmp_path / "birds").symlink_to("my birds")
        run("export --supernet NET --w0 --out net --force")
        said = run(command.replace("'my birds'", "birds"))
        assert "Test, train are the splits of a task, not classes; choose one: `sdr " in said
        assert "--images birds/train --out x" in said


def test_a_folder_of_one_class_may_be_called_train(run, tmp_path, workplace):
    """A class called train (of a railway) stands beside others and holds pictures, not folders."""
    shutil.copytree(workplace / "pictures", tmp_path / "mine")
    (tmp_path / "mine/class 0").rename(tmp_path / "mine/train")
    (tmp_path / "mine/class 1").rename(tmp_path / "mine/test")
    run("route --supernet NET --images mine --out found --method halving")
    assert json.loads((tmp_path / "found/route.json").read_text())["images"] == 30


def test_embed_takes_a_class_of_one_picture_and_a_flat_folder(run, tmp_path, workplace):
    run("export --supernet NET --w0 --out net")
    for name in ("one/a/0.png", "one/a/1.png", "one/b/2.png", "alone/a/0.png", "flat/0.png", "flat/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(workplace / "pictures/class 0/0.png", tmp_path / name)
    for folder, labels, classes in (("one", [0, 0, 1], ["a", "b"]), ("alone", [0], ["a"]), ("flat", None, None)):
        run(f"embed --backbone net --images {folder} --out {folder}.npz")
        with np.load(tmp_path / f"{folder}.npz") as found:
            if labels is None:
                assert sorted(found) == ["features", "paths"] and found["paths"].tolist() == ["0.png", "1.png"]
            else:
                assert found["labels"].tolist() == labels and found["classes"].tolist() == classes


def test_route_leaves_copies_out_and_says_so(run, tmp_path, workplace, capsys):
    shutil.copytree(workplace / "pictures", tmp_path / "mine")
    for path in sorted((tmp_path / "mine").rglob("*.png")):
        shutil.copy(path, path.with_stem(f"{path.stem} copy"))
        Image.open(path).resize((40, 40)).save(path.with_suffix(".bmp"))
    run("route --supernet NET --images PICTURES --out once")
    capsys.readouterr()
    monkey = run("route --supernet NET --images mine --out copies")
    assert "verdict" in monkey
    once, copies = (json.loads((tmp_path / name / "route.json").read_text()) for name in ("once", "copies"))
    assert (once["images"], copies["images"]) == (30, 30)
