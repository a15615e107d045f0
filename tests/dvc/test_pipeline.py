"""The real pipeline, all stages and real DVC, on a folder of small pictures made here."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.pipeline

TINY = {
    "n_subnets": 4,
    "data": {"source": "folder", "side": 16},
    "views": {"side": 16},
    "backbone": {
        "layers": [1] * 4,
        "shared": [8, 8, 8, 12],  # torch 2.15 damages memory where a CPU trains a detector over fewer than 8 channels
        "group": [2, 2, 2, 4],
        "groups": 2,
        "stem_width": 8,
    },
    "heads": {"projection": 16, "prediction": 8},
    "pretrain": {"epochs": 1.0, "optimization": {"batch_size": 16}, "log_every": 1},
    "sdr": {"epochs": 2.0, "optimization": {"batch_size": 16}, "log_every": 1},
    "calibrate": {"images": 32},
    "embed": {"side": 16, "batch_size": 32},
    "linear": {"penalties": 5},
    "route": {"top_m": 2},
    "detectors": {
        "tiny": {
            "iterations": 4,
            "steps": [2, 3],
            "warmup": 1,
            "batch": 4,
            "log_every": 1,
            "routing": {
                "proxy_images": 40,
                "keep": 2,
                "explore": 0,
                "rungs": [1, 2],
                "survivors": [1],
                "val_images": 8,
            },
        }
    },
}
TASKS = {"stripes": {"source": "folder", "metric": "top1"}, "tags": {"source": "folder", "metric": "map"}}


def picture(rng: np.random.Generator, slope: int, red: bool) -> Image.Image:
    """Noisy stripes, 20×20."""
    y, x = np.mgrid[:20, :20]
    waves = np.sin((x + slope * y) * rng.uniform(0.5, 1) + rng.uniform(0, 6))[..., None]
    colour = np.array([1.0, 0.2, 0.2] if red else [0.2, 0.4, 1.0])
    return Image.fromarray(((waves + 1) * 100 * colour + rng.uniform(0, 55, (20, 20, 3))).astype(np.uint8))


def write_pictures(root: Path) -> None:
    rng = np.random.default_rng(0)
    for domain, slope in (("left", 1), ("right", -1), ("upright", 0)):
        (root / "corpus" / domain).mkdir(parents=True)
        for i in range(32):
            picture(rng, slope, i % 2 == 0).save(root / "corpus" / domain / f"{i}.png")
    for split, count in (("train", 12), ("test", 8)):
        rows = [("file", "label")]
        for label, slope in (("left", 1), ("right", -1)):
            (root / "tasks/stripes" / split / label).mkdir(parents=True)
            (root / "tasks/tags" / split).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                picture(rng, slope, i % 2 == 0).save(root / "tasks/stripes" / split / label / f"{i}.png")
                picture(rng, slope, i % 2 == 0).save(root / "tasks/tags" / split / f"{label}{i}.png")
                rows.append((f"{label}{i}.png", f"{label};red" if i % 2 == 0 else label))
        with (root / "tasks/tags" / split / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)


def merge(base: dict, changes: dict) -> dict:
    return base | {k: merge(base[k], v) if isinstance(v, dict) else v for k, v in changes.items()}


@pytest.fixture(scope="module")
def finished(new_repo, tmp_path_factory):
    """A finished run: interrupted in the first training, then gone on with, then committed."""
    root = tmp_path_factory.mktemp("pipeline")
    write_pictures(root)
    repo = new_repo(root / "repo")
    repo.env.update(SDR_DATA=str(root / "corpus"), SDR_DATA_TASKS=str(root / "tasks"))
    params = merge(repo.params, TINY) | {"tasks": TASKS, "score_check": {"tags": {}}}
    (repo.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    repo.commit("Sources")
    interrupted = interrupt(repo, "pretrain")
    assert "interrupted" in interrupted and "Traceback" not in interrupted
    assert not (repo.root / "artifacts/baseline").exists()
    assert repo.repro().isdisjoint({"manifest_corpus", "prepare"})
    repo.commit()
    yield repo
    for name in ("SDR_DATA", "SDR_DATA_TASKS"):
        del repo.env[name]


def interrupt(repo, stage: str) -> str:
    """Start `dvc repro`, press Ctrl-C two seconds after `stage` started (while it imports torch)."""
    process = subprocess.Popen(
        ["python", "-m", "dvc", "repro"],
        cwd=repo.root,
        env=repo.env | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(f"Running stage '{stage}'"):
            time.sleep(2)
            os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    return "".join(lines)


def test_it_has_all_that_it_should_and_nothing_to_do(finished):
    assert "up to date" in finished.dvc("repro")
    assert finished.git("status", "--porcelain") == ""
    summary = json.loads((finished.root / "metrics/summary.json").read_text())
    assert set(summary) == {"base", "sdr", "gain", "ap"}
    assert set(json.loads((finished.root / "metrics/tasks.json").read_text())) == set(TASKS)
    for task in TASKS:
        folder = finished.root / "artifacts/eval"
        files = {name: folder / name / f"{task}.json" for name in ("baseline", "pixels", "sdr")}
        found = {name: json.loads(file.read_text())["networks"] for name, file in files.items()}
        assert all(0 <= networks[name]["linear"] <= 100 for name, networks in found.items())
        assert found["sdr"]["votes"]["members"] == found["sdr"]["ensemble"]["members"] == 2
    checked = json.loads((finished.root / "artifacts/eval/scores/tags.json").read_text())
    assert len(checked["subnets"]["logme"]) == 4 and checked["scores"]["knn"]["regret"] >= 0
    assert "Which score foresees" in (finished.root / "report/index.html").read_text()
    demo = json.loads((finished.root / "artifacts/eval/detection/sdr/demo.json").read_text())
    assert 0 <= demo["ap"] <= 100
    assert (demo["routing"]["iterations"], demo["routing"]["exhaustive_iterations"]) == (
        2,
        8,
    )  # two to 1; all four to 2
    assert (finished.root / "report/index.html").stat().st_size > 10_000
    assert not list(finished.root.rglob("*.partial"))
    kept = {
        path.relative_to(finished.root).as_posix() for path in (finished.root / ".scratch").rglob("*") if path.is_file()
    }
    live = {".scratch/checked", ".scratch/runs.csv"} | {
        f".scratch/live/{name}.csv" for name in ("pretrain", "pretrain-probe", "train_sdr", "train_sdr-probe")
    }
    assert live <= kept and all(name in live or "/manifests/" in name or "/dvc-lock/" in name for name in kept)


def test_the_commands_around_it(finished):
    assert finished.run("python", "-m", "tools.check") == ""
    assert finished.run("python", "-m", "tools.prune") == ""
    table = finished.run("python", "-m", "tools.table")
    assert "stripes" in table and "report/index.html" in table


def test_an_exported_backbone_loads_without_the_project(finished, tmp_path):
    backbone = finished.root / "artifacts/route/stripes/backbone"
    code = (
        "import sys, timm, torch\n"
        f"model = timm.create_model('local-dir:{backbone}', pretrained=True).eval()\n"
        "print(tuple(model(torch.zeros(2, 3, 16, 16)).shape), 'sdr' in sys.modules)"
    )
    command = ["python", "-c", code]
    output = subprocess.run(command, cwd=tmp_path, env=finished.env, check=True, stdout=-1, text=True).stdout
    assert output.strip() == "(2, 16) False"


def test_an_experiment_and_what_changed(finished, tmp_path):
    shutil.copytree(finished.root, tmp_path / "repo", symlinks=True)
    repo = type(finished)(tmp_path / "repo", finished.env)
    output = repo.dvc("exp", "run", "--name", "one", "--set-param", "n_subnets=1")
    assert "Running stage 'cluster'" in output and "Running stage 'pretrain'" not in output
    assert "evaluate@stripes-baseline' didn't change, skipping" in output
    assert "one" in repo.dvc("exp", "show", "--csv", "--only-changed")
    parameters = repo.dvc("params", "diff", "--md", "HEAD", "one")
    assert "| n_subnets | 4 | 1 |" in " ".join(parameters.split())
    changed = repo.dvc("metrics", "diff", "--md", "HEAD", "one")
    assert "stripes" in changed and " base " not in changed
    repo.dvc("plots", "diff", "HEAD", "one", "--out", str(tmp_path / "plots"))
    assert "Training loss" in (tmp_path / "plots/index.html").read_text()
    assert list((tmp_path / "plots").rglob("*.png"))
    assert "not in struct" in repo.dvc("exp", "run", "--set-param", "n_subnet=3", ok=False)
