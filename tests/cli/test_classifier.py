"""`sdr fit`, `sdr predict` and what goes with them, on a small network and a folder of pictures; and wrong arguments."""

import csv
import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from sdr import cli
from sdr.nets.folder import save_timm
from tests.route.toys import make_bundle, striped_task


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A super-net in `net`, its baseline in `base`; pictures of three classes in `my pictures`, with splits in `split`."""
    root = tmp_path_factory.mktemp("place")
    make_bundle(root / "net", 2, "common")
    task = striped_task(60)
    for i, (image, label) in enumerate(zip(task.images, task.targets)):
        for top in ("my pictures", f"split/{'test' if i % 4 == 0 else 'train'}"):
            path = root / top / f"class {label}/{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (root / "ready").mkdir()
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=0)
    network.pretrained_cfg |= {"input_size": (3, 24, 24), "mean": (0.5,) * 3}
    save_timm(root / "ready", network, {})
    (root / "loose").mkdir()
    for i, image in enumerate(task.images[:5]):
        Image.fromarray(image).save(root / f"loose/{i}.png")
    return root


@pytest.fixture
def run(place, monkeypatch, sdr):
    """Run a command of these words in a new folder; return what it printed, or its error."""
    monkeypatch.setenv("SDR_DEVICE", "cpu")
    return sdr


@pytest.fixture
def base(place, run):
    if not (place / "base").exists():
        run("export", "--supernet", place / "net", "--baseline", "--out", place / "base")
    return place / "base"


def test_fit_and_predict(run, place, base, tmp_path):
    said = run("fit", "--backbone", base, "--images", place / "split", "--out", "model")
    assert "of 15 test images right; fitted on 45" in said and "sdr predict --model model" in said
    assert {p.name for p in (tmp_path / "model").iterdir()} >= {"README.md", "BACKBONE.md", "config.json"}
    card = (tmp_path / "model/README.md").read_text()
    assert "sdr fit --backbone" in card and "class 0, class 1, class 2" in card and "test accuracy" in card
    assert "60 pictures, 3 classes" in run(
        "predict", "--model", "model", "--images", place / "my pictures", "--out", "answers.csv"
    )
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60 and list(rows[0]) == [
        "file",
        "class",
        "probability",
        *(f"p(class {c})" for c in range(3)),
    ]
    model = timm.create_model("local-dir:model", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    for row in rows[::13]:
        with torch.inference_mode():
            picture = Image.open(place / "my pictures" / row["file"]).convert("RGB")
            p = model(transform(picture)[None]).softmax(1)[0].numpy()
        assert np.abs(p - [float(row[f"p(class {c})"]) for c in range(3)]).max() < 1e-4
        assert row["class"] == f"class {p.argmax()}" and float(row["probability"]) == pytest.approx(p.max(), abs=1e-4)


def test_route_with_a_classifier(run, place, tmp_path):
    line = ("--supernet", place / "net", "--images", place / "my pictures", "--out", "mine")
    said = run("route", *line, "--classifier")
    assert "validation images right" in said
    config = json.loads((tmp_path / "mine/config.json").read_text())
    assert config["label_names"] == ["class 0", "class 1", "class 2"]
    assert (tmp_path / "mine/route.json").is_file()
    assert "5 pictures" in run("predict", "--model", "mine", "--images", place / "loose", "--out", "a.csv")
    assert "× 16 features" in run("embed", "--backbone", "mine", "--images", place / "loose", "--out", "f.npz")


def test_ready_backbones_beside_the_choice(run, place, base, tmp_path):
    line = ("--supernet", place / "net", "--images", place / "my pictures", "--out", "mine")
    said = run("route", *line, "--against", base, place / "ready")
    rows = {row["name"]: row for row in json.loads((tmp_path / "mine/route.json").read_text())["against"]["others"]}
    assert list(rows) == ["baseline", "raw pixels", str(base), str(place / "ready")]
    pixels = rows["raw pixels"]
    for row in rows.values():
        below = [way for way, key in (("kNN", "score"), ("linear", "linear")) if row[key] < pixels[key]]
        assert row["below_pixels"] == bool(below) and 0 <= row["linear"] <= 100
        (line_of,) = {line for line in said.splitlines() if line.startswith(row["name"] + " ")}
        assert ("below raw pixels" in line_of) == bool(below) and f"{row['linear']:.2f}" in line_of
        assert not below or f"({', '.join(below)})" in line_of
    assert rows[str(base)] == rows["baseline"] | {"name": str(base)}  # the same network, from a folder
    for row in rows.values():
        low, high = row["interval"]
        assert low <= row["difference"] <= high and row["word"] in said
    choice = json.loads((tmp_path / "mine/route.json").read_text())["choice"]
    assert choice["network"] == "baseline" and rows["baseline"]["difference"] == 0  # the choice is not a sub-net here
    assert "on images that the choice was not made on.\n" in said
    assert "95 % interval" in said and "flatters" in said and "below raw pixels" in said


def test_a_name_that_timm_has_not_is_told_before_anything_is_read(run, place, tmp_path):
    line = ("--supernet", place / "net", "--images", place / "my pictures", "--out", "mine")
    error = run("route", *line, "--against", "timm:resnet999")
    assert "--against timm:resnet999: timm cannot create resnet999" in error and "Offline:" in error
    assert not list(tmp_path.iterdir())


def test_embed_takes_a_flat_folder(run, place, base, tmp_path):
    said = run("embed", "--backbone", base, "--images", place / "loose", "--out", "f.npz")
    assert "5 × 16 features, no class folders" in said
    with np.load(tmp_path / "f.npz") as found:
        assert sorted(found) == ["features", "paths"] and found["paths"].tolist() == [f"{i}.png" for i in range(5)]


def test_onnx_gives_the_logits(run, place, base, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    run("fit", "--backbone", base, "--images", place / "split", "--out", "model", "--onnx")
    x = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(tmp_path / "model/model.onnx").run(["logits"], {"images": x})
    with torch.inference_mode():
        expected = timm.create_model("local-dir:model", pretrained=True).eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_unreadable_file_is_left_out_if_asked_and_the_option_is_named(run, place, base, tmp_path):
    (tmp_path / "loose").mkdir()
    for i in range(4):
        (tmp_path / f"loose/{i}.png").write_bytes((place / f"loose/{i}.png").read_bytes() if i else b"no picture")
    run("fit", "--backbone", base, "--images", place / "split", "--out", "model")
    line = ("predict", "--model", "model", "--images", "loose", "--out", "a.csv")
    error = run(*line)
    assert "0.png" in error and "--max-bad-fraction" in error and "data." not in error
    assert not (tmp_path / "a.csv").exists() and not list(tmp_path.glob(".*"))
    assert "3 pictures" in run(*line, "--max-bad-fraction", 0.5)


@pytest.fixture
def timms(monkeypatch):
    """A network of timm's whose weights are there."""
    create = timm.create_model

    def created(name, pretrained=False, **arguments):
        torch.manual_seed(1)
        return create(name, pretrained=pretrained and name.startswith("local-dir:"), **arguments)

    monkeypatch.setattr(timm, "create_model", created)


def test_fit_takes_a_network_of_timms_by_its_name(run, place, tmp_path, timms):
    said = run("fit", "--backbone", "timm:test_resnet", "--images", place / "split", "--out", "model")
    assert "of 15 test images right" in said
    card, config = (tmp_path / "model/README.md").read_text(), json.loads((tmp_path / "model/config.json").read_text())
    assert "timm:test" in card and config["architecture"] == "test_resnet" and config["num_classes"] == 3
    assert "5 pictures" in run("predict", "--model", "model", "--images", place / "loose", "--out", "a.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"model", "a.csv"}


def test_fit_of_a_name_that_timm_has_not_leaves_nothing(run, place, tmp_path):
    error = run("fit", "--backbone", "timm:resnet999", "--images", place / "split", "--out", "model")
    assert "--backbone timm:resnet999: timm cannot create resnet999" in error and len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


WRONG = [
    ("fit --backbone timm:no/name --images SPLIT --out m", "--backbone timm:no/name: no name of a network"),
    ("fit --backbone nowhere --images SPLIT --out m", "nowhere/config.json: not found; --backbone takes"),
    ("fit --backbone BASE --images empty --out m", "empty: this folder is empty"),
    ("fit --backbone BASE --images nowhere --out m", "nowhere: not found; it should be a folder"),
    ("fit --backbone BASE --images one --out m", "one: 0 class folders; it takes two or more"),
    ("fit --backbone BASE --images pictures.zip --out m", "pictures.zip: a file, not a folder"),
    ("fit --backbone BASE --images unlike --out m", "class `c` is in test but not in train"),
    ("fit --backbone BASE --images SPLIT --out taken", "taken: is there already"),
    ("fit --backbone BASE --images SPLIT --out taken --force", "--force replaces only what this command wrote"),
    ("predict --model BASE --images SPLIT --out a.csv", "no label_names: a backbone, not a classifier"),
    ("predict --model nowhere --images SPLIT --out a.csv", "nowhere/config.json: not found; --model takes"),
    ("predict --model classifier --images empty --out a.csv", "empty: this folder is empty"),
    ("predict --model classifier --images SPLIT --out taken", "taken: is there already"),
    ("embed --backbone BASE --images pictures.zip --out f.npz", "pictures.zip: a file, not a folder"),
    ("embed --backbone broken --images SPLIT --out f.npz", "broken/config.json: not a network's for timm"),
    ("route --supernet BASE --images SPLIT --out m", "--supernet takes what the pipeline trained"),
    ("route --supernet NET --images SPLIT --out m --classifier --program", "--program is of a backbone without"),
    ("export --supernet NET --baseline --out pictures.zip/m", "pictures.zip/m: nothing can be written into"),
    ("route --supernet NET --images PICTURES --out m --against nowhere", "nowhere/config.json: not found; --against"),
    ("route --supernet NET --images PICTURES --out m --against timm:no/name", "--against timm:no/name: no name of a"),
    ("inspect empty", "empty: this folder is empty"),
    ("init --images SPLIT", "params.yaml: not found here; `sdr init` sets up a clone"),
]


@pytest.mark.parametrize(("line", "says"), WRONG)
def test_bad_input_is_one_message_before_anything_slow_is_imported(place, base, tmp_path, monkeypatch, line, says):
    for name in ("empty", "one", "unlike/train/a", "unlike/train/b", "unlike/test/c", "taken", "broken", "classifier"):
        (tmp_path / name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "one/0.png")
    for name in ("train/a", "train/b", "test/c"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"unlike/{name}/0.png")
    (tmp_path / "taken/thesis.txt").write_text("mine")
    for name in ("broken", "classifier"):
        (tmp_path / name / "model.safetensors").touch()
    (tmp_path / "broken/config.json").write_text("{")
    config = {"architecture": "resnet18", "num_classes": 2, "label_names": ["a", "b"]}
    (tmp_path / "classifier/config.json").write_text(json.dumps(config))
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a/0.png", b"")
    before = set(tmp_path.rglob("*"))
    words = {"NET": place / "net", "BASE": base, "SPLIT": place / "split", "PICTURES": place / "my pictures"}
    line = [str(words.get(word, word)) for word in line.split()]
    program = (
        "import sys, atexit; from sdr.cli import main; "
        "atexit.register(lambda: print('slow:', *sorted({'torch', 'timm', 'numpy', 'PIL'} & set(sys.modules)))); main()"
    )
    monkeypatch.setenv("PYTHONPATH", str(cli.__file__).rsplit("/", 3)[0])
    done = subprocess.run([sys.executable, "-c", program, *line], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and says in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == "slow:\n"
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["fit", "predict", "embed", "route"])
def test_help_names_every_option(run, command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sdr", command, "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert re.search(r"--images FOLDER\s+\S", capsys.readouterr().out)


def test_a_missing_package_names_the_environment(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sdr.cli.inspect", sys.modules["sdr.cli.inspect"])

    def lacking(args):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli.inspect, "run", lacking)
    error = run("inspect", "anything")
    assert "the package torch is not installed" in error and ".venv/bin/activate" in error


def test_weights_of_another_architecture_are_one_line(run, place, base, tmp_path):
    run("export", "--supernet", place / "net", "--w0", "--out", "odd")
    (tmp_path / "odd/config.json").write_bytes((base / "config.json").read_bytes())
    error = run("fit", "--backbone", "odd", "--images", place / "split", "--out", "model")
    assert "odd: not a network of this project, or altered" in error and "size mismatch" in error
    assert len(error.splitlines()) == 1 and not (tmp_path / "model").exists()


def test_a_full_disk_is_one_message_and_leaves_nothing(run, place, base, tmp_path, monkeypatch):
    import errno

    from sdr.tasks.pack import Pack

    def full(self, pixels):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Pack, "append", full)
    error = run("fit", "--backbone", base, "--images", place / "split", "--out", "model")
    assert "the disk is full" in error and not list(tmp_path.iterdir())
