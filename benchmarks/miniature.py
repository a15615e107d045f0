"""A copy of this repository with a corpus, a task and parameters so small that `make repro` takes a minute: all families of
stages but `prune`, which needs a wider baseline than the default's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
FILES = ("Makefile", "requirements.lock", "dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore", ".gitignore")
FOLDERS = ("sdr", "splits", "stages", "tools")
SIDE = 16
TINY = {
    "data": {"source": "folder", "side": SIDE},
    "views": {"side": SIDE},
    "backbone": {
        "shared": [8, 8, 8, 12],
        "group": [2, 2, 2, 4],
        "stem_width": 7,
    },  # torch 2.15 damages memory in detectors of fewer channels
    "heads": {"projection": 16, "hidden": 16},
    "pretrain": {"epochs": 2, "optimization": {"batch_size": 8}},
    "sdr": {"epochs": 2, "optimization": {"batch_size": 8}},
    "cluster": {"epochs": 2},
    "embed": {"side": SIDE},
    "linear": {"penalties": 3},
    "score_check": {"noise": {}},
    "detectors": {
        "tiny": {"iterations": 20, "steps": [12, 16], "warmup": 4, "log_every": 5}
        | {"routing": {"rungs": [5], "proxy_images": 12, "val_images": 8}}
    },
}
SAVES = "seconds: float = 60.0"  # of sdr/base/checkpoint.py: least time between two states


def make_repository(root: Path) -> tuple[Path, dict[str, str]]:
    """Make it at `root`; return it and the environment of its runs."""
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".venv").symlink_to(ROOT / ".venv")
    saves = root / "sdr/base/checkpoint.py"
    assert SAVES in saves.read_text()
    saves.write_text(saves.read_text().replace(SAVES, "seconds: float = 0.2"))
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    change(params, TINY)
    params["tasks"] = {"noise": {"source": "folder", "metric": "top1"}}
    yaml.dump(params, root / "params.yaml")
    data, hooks = root.parent / "data", root.parent / "hooks"  # of all copies: manifests hold the files' times
    if not data.exists():
        write_noise(data / "corpus", 5, 40)
        write_noise(data / "tasks/noise/train", 3, 8)
        write_noise(data / "tasks/noise/test", 3, 4)
        hooks.mkdir()
        shutil.copyfile(Path(__file__).with_name("killer.py"), hooks / "sitecustomize.py")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SDR_", "DVC_", "GIT_"))}
    env |= {
        "PYTHONPATH": str(hooks),
        "PYTHONDONTWRITEBYTECODE": "",
        "DVC_SITE_CACHE_DIR": str(root.parent / f"{root.name}-site"),
    }
    env |= {"SDR_DATA": str(data / "corpus"), "SDR_DATA_TASKS": str(data / "tasks"), "PYTHON": sys.executable}
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root, env


def change(params, changes: dict) -> None:
    """Put other values into nested mappings."""
    for name, value in changes.items():
        if isinstance(value, dict) and params.get(name):
            change(params[name], value)
        else:
            params[name] = value


def write_noise(folder: Path, classes: int, pictures: int) -> None:
    """A folder a class of noise around a colour."""
    rng = np.random.default_rng(len(folder.name))
    for number in range(classes):
        (folder / f"class{number}").mkdir(parents=True)
        colour = np.array([60 + 40 * number, 230 - 40 * number, 128])
        for i in range(pictures):
            pixels = (colour + rng.normal(0, 40, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"class{number}/{i}.png")
