"""`make init`: what it sees in folders, what it writes, and what it refuses to write."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from sdr.base.errors import UserError
from sdr.base.profiles import complete
from sdr.corpus import location
from sdr.sources.look import look
from sdr.tasks.sources import read_splits
from sdr.tasks.task import TaskSpec
from tests.nets.ready import WIDTHS, ready, save
from tests.tools.test_dry_run import miniature
from tools import init_trial
from tools.init import init
from tools.init_params import is_untouched, lean
from tools.init_tasks import find_tasks
from tools.rules import unknown, wrong

ROOT = Path(__file__).parents[2]


def put(folder: Path, *names: str, side: int = 40) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = sum(map(ord, name))
        Image.new("RGB", (side + 9, side), (number % 256, number * 7 % 256, number * 31 % 256)).save(path)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The root of a repository with the default parameters, and pictures beside it."""
    for name in ("DVC_ROOT", "DVC_STAGE", "SDR_DATA", "SDR_DATA_TASKS", "SDR_SCRATCH"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "my clone"
    root.mkdir()
    shutil.copy(ROOT / "params.yaml", root)
    shutil.copytree(ROOT / "profiles", root / "profiles")
    shutil.copytree(ROOT / "splits", root / "splits")
    monkeypatch.chdir(root)
    commands = [["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]]
    for command in commands:
        subprocess.run(["git", *command], check=True)
    put(tmp_path / "my pictures", *(f"deep/{i}.png" for i in range(40)))
    put(tmp_path / "tasks/split", *(f"{s}/{c}/{i}.png" for s in ("train", "test") for c in "ab" for i in range(3)))
    put(tmp_path / "tasks/My flat one", *(f"{c}/{i}.png" for c in "abc" for i in range(10)))
    put(tmp_path / "tasks/table", *(f"{i}.png" for i in range(12)))
    rows = "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(12))
    (tmp_path / "tasks/table/labels.csv").write_text("file,label\n" + rows)
    return root


def run(clone: Path, tasks: str | None = "tasks", profile="default", force=False) -> dict:
    above = clone.parent
    init(above / "my pictures", above / tasks if tasks else None, profile, force, measure=False)
    return yaml.safe_load((clone / "params.yaml").read_text())


def test_what_it_writes_is_valid_and_lean(clone, capsys):
    params = run(clone, profile="paper")
    assert [*unknown(), *wrong()] == []
    assert params["data"]["source"] == "folder" and params["n_subnets"] == 4
    assert params["data"]["side"] == params["embed"]["side"] == 32 and params["views"]["side"] == 16
    assert not any(params[name] for name in ("detection", "detectors", "compare", "pruned", "adapt", "score_check"))
    assert set(params["tasks"]) == {"split", "My-flat-one", "table"}
    assert params["probe"]["tasks"] == [next(iter(params["tasks"]))]
    text = (clone / "params.yaml").read_text()
    assert "# most pictures have 40 pixels" in text and "pictures a cluster" in text and "steps on 40 pictures" in text
    said = capsys.readouterr().out
    assert "40 files" in said and "no test split: 20% of each class" in said and "next: make repro" in said
    assert "task:      split: 2 classes, 6 train, 6 test" in said and "from a CSV" in said


def test_the_pipeline_finds_the_folders_and_reads_the_tasks(clone):
    params = run(clone)
    assert location.root(location.CORPUS) == clone.parent / "my pictures"
    expected = {
        "split": {"train": 6, "test": 6},
        "My-flat-one": {"train": 24, "test": 6},
        "table": {"train": 10, "test": 2},
    }
    for name, spec in params["tasks"].items():
        splits = read_splits(name, TaskSpec(**spec), {})
        assert {split: len(entries) for split, entries in splits.items()} == expected[name]


@pytest.mark.parametrize("name", ["split", "My flat one", "table"])
def test_a_single_task(clone, name):
    params = run(clone, f"tasks/{name}")
    assert len(params["tasks"]) == 1 and location.root(location.TASKS) == clone.parent / "tasks"


@pytest.mark.parametrize("name", ["timm:resnet10t", "timm:resnet26d", "a folder"])
def test_from_weights_the_backbone_is_theirs(clone, name):
    above = clone.parent
    if name == "a folder":
        save(ready("resnet26"), above / name)
        name = f"../{name}"
    init(above / "my pictures", None, "default", False, measure=False, start=name)
    params = yaml.safe_load((clone / "params.yaml").read_text())
    assert [*unknown(), *wrong()] == []  # the check holds the backbone against the network
    assert params["backbone"]["groups"] == 4 and is_untouched((clone / "params.yaml").read_text())
    assert params["pretrain"]["init"] == (name if name.startswith("timm:") else str((above / "a folder").resolve()))
    sub = [s + g for s, g in zip(params["backbone"]["shared"], params["backbone"]["group"])]
    assert sub == [64, 128, 256, 512] if name.startswith("timm:") else list(WIDTHS)


@pytest.mark.parametrize(
    ("name", "says"), [("timm:resnet999", "timm cannot create resnet999"), ("../no", "neither timm:NAME")]
)
def test_from_what_is_not_there_nothing_is_written(clone, name, says):
    before = (clone / "params.yaml").read_bytes()
    with pytest.raises(UserError, match=says):
        init(clone.parent / "my pictures", None, "default", False, measure=False, start=name)
    assert (clone / "params.yaml").read_bytes() == before and not (clone / "local.yaml").exists()


def test_a_profile_and_no_task(clone):
    params = run(clone, None, "gpu-small")
    assert (
        params["tasks"] == {}
        and params["probe"]["tasks"] == []
        and params["backbone"]["layers"] == [2, 2, 2, 2]
        and params["data"]["side"] == 32
    )
    with pytest.raises(UserError, match="no profile `nowhere`"):
        run(clone, None, "nowhere", True)


def test_changed_files_are_kept_without_force(clone):
    run(clone)
    run(clone)  # what it wrote itself is no change
    text = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(text.replace("seed: 0 ", "seed: 7 "))
    with pytest.raises(UserError, match="has changes of yours that no commit holds"):
        run(clone)
    assert "seed: 7" in (clone / "params.yaml").read_text()
    run(clone, force=True)
    assert is_untouched((clone / "params.yaml").read_text())
    (clone / "local.yaml").write_text("SDR_DATA: /elsewhere\n")
    with pytest.raises(UserError, match="local.yaml names other folders already"):
        run(clone)
    assert (clone / "local.yaml").read_text() == "SDR_DATA: /elsewhere\n"


def test_a_committed_one_is_not_taken_for_the_default(clone):
    first = run(clone)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "mine"], check=True)
    assert run(clone) == first


def test_what_is_wrong_is_told_and_nothing_is_written(clone):
    before = (clone / "params.yaml").read_bytes()
    above = clone.parent
    put(above / "tasks/unlike", "train/a/0.png", "train/a/1.png", "train/b/0.png", "test/c/0.png")
    (above / "my pictures/notes.txt").write_text("no picture")
    with pytest.raises(UserError) as error:
        run(clone)
    said = str(error.value).splitlines()
    assert "2% of the files are no pictures, such as notes.txt" in said[0]
    assert "class `c` is in test but not in train" in said[1] and "1 picture of class b" in said[2]
    assert (clone / "params.yaml").read_bytes() == before and not (clone / "local.yaml").exists()


@pytest.mark.parametrize(("names", "says"), [((), "no file in it"), (("0.png",), "nothing can be learnt from fewer")])
def test_too_few_pictures(clone, tmp_path, names, says):
    (tmp_path / "few").mkdir()
    put(tmp_path / "few", *names)
    with pytest.raises(UserError, match=says):
        init(tmp_path / "few", None, "default", False, measure=False)


def test_a_look_counts_formats_sides_and_copies(tmp_path):
    put(tmp_path, "a/0.png", "a/1.jpg", "b/2.png", side=30)
    shutil.copy(tmp_path / "a/0.png", tmp_path / "b/again.png")
    (tmp_path / "b/bad.gif").write_bytes(b"GIF8 no more")
    seen = look(tmp_path)
    assert seen.formats == {"png": 3, "jpg": 1, "gif": 1} and seen.domains == {"a": 2, "b": 3}
    assert seen.sides.tolist() == [30] * 4 and seen.copies == [("a/0.png", "b/again.png")]
    assert seen.unread == ["b/bad.gif: not an image"] and "5 files" in seen.in_words()


@pytest.mark.parametrize(
    ("images", "n", "epochs", "batch"),
    [(50, 4, 100, 25), (2000, 4, 56, 128), (11_231, 16, 10, 128), (1_300_000, 16, 2, 128)],
)
def test_sizes_follow_the_corpus(images, n, epochs, batch):
    params = yaml.safe_load(lean(complete(ROOT / "profiles/paper.yaml"), images, 500, {}, {}))
    found = params["pretrain"]
    assert (params["n_subnets"], found["epochs"], found["optimization"]["batch_size"]) == (n, epochs, batch)
    assert params["sdr"]["epochs"] / epochs == pytest.approx(2, rel=0.02) and params["data"]["side"] == 64


def test_multi_label_lists(tmp_path):
    put(tmp_path / "many", *(f"{i}.png" for i in range(6)))
    rows = "".join(f"{i}.png,{'a;b' if i % 2 else 'b'}\n" for i in range(6))
    for split in ("train", "test"):
        (tmp_path / f"many/{split}.csv").write_text("path,labels\n" + rows)
    root, (task,) = find_tasks(tmp_path / "many")
    assert root == tmp_path and task.spec == {"source": "csv", "metric": "map"} and not task.wrong and task.n_train == 6


def test_detection_sets_of_both_formats(clone, capsys):
    tasks = clone.parent / "tasks"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tasks / "my boxes" / folder).mkdir(parents=True)
    for name in ("trainval", "test"):
        (tasks / f"my boxes/ImageSets/Main/{name}.txt").touch()
    (tasks / "coco/annotations").mkdir(parents=True)
    for name in ("train2017", "val2017"):
        (tasks / f"coco/annotations/instances_{name}.json").touch()
    params = run(clone)
    assert [*unknown(), *wrong()] == [] and "tiny" in params["detectors"] and set(params["tasks"]) >= {"split", "table"}
    assert params["detection"] == {
        "my-boxes": {
            "source": "voc",
            "path": "my boxes",
            "splits": {"train": "trainval", "test": "test"},
            "detector": "tiny",
        },
        "coco": {
            "source": "coco",
            "path": "coco",
            "splits": {"train": "train2017", "test": "val2017"},
            "detector": "tiny",
        },
    }
    assert "boxes:     my-boxes: pictures with boxes in VOC's format, lists trainval, test" in capsys.readouterr().out
    (tasks / "my boxes/ImageSets/Main/test.txt").unlink()
    with pytest.raises(UserError, match="no list of the split test in ImageSets"):
        run(clone)


def test_a_trial_measures_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("SDR_DEVICE", "cpu")
    monkeypatch.setattr(init_trial, "SAMPLE", 16)
    random = np.random.default_rng(0)
    files = [tmp_path.with_name(f"{tmp_path.name}-{i}.png") for i in range(20)]
    for file in files:
        Image.fromarray(random.integers(0, 255, (60, 50, 3), dtype=np.uint8)).save(file)
    params = miniature(n_subnets=4)
    params["data"] |= {"source": "folder", "store": "decoded"}
    for section in ("pretrain", "sdr"):
        params[section]["optimization"] |= {"batch_size": 8}
    text = json.dumps(params)
    one, ten = (init_trial.trial(text, files, {"a": 10 * k}, tmp_path) for k in (1, 100))
    assert set(one["seconds"]) == {"reading", "baseline", "SDR", "features"} and min(one["seconds"].values()) > 0
    assert ten["disk"] > one["disk"] > 20 * 48 * 48 * 3 * 2 and one["memory"] > 1e7 and one["free"] > 0
    assert "of memory" in init_trial.in_words(one) and not list(tmp_path.iterdir())
