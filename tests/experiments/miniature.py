"""The pipeline without DVC: real stages in this process, on noise, each run once for the same parameters and inputs."""

import hashlib
import itertools
import json
import os
import runpy
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from ruamel.yaml import YAML

from sdr.base.profiles import merged
from sdr.corpus.store import ImageStore
from sdr.experiments.sets import Experiment, targets

ROOT = Path(__file__).parents[2]
SIZE = 16
CLASSES = ("digits", "icons", "maps", "photographs", "pictograms")  # of splits/builtin.csv
PER_CLASS = 104  # so that each of 256 clusters has two images
SCALE = 0.0125  # of epochs: 8 steps where the default profile's baseline has 877, 16 of SDR
TINY = {
    "data": {"source": "folder", "side": SIZE},
    "views": {"side": SIZE},
    "backbone": {"shared": [4, 4, 6, 8], "group": [2, 2, 2, 4], "stem_width": 5},
    "heads": {"projection": 16, "hidden": 16, "prediction": 8},
    "pretrain": {"log_every": 1, "optimization": {"batch_size": 8}},
    "sdr": {"log_every": 1, "optimization": {"batch_size": 8}},
    "cluster": {"epochs": 1, "min_share": 1.0},
    "calibrate": {"images": 32},
    "embed": {"side": SIZE, "batch_size": 64},
    "knn": {"k": 3},
    "linear": {"penalties": 3, "log10_min": -1, "log10_max": 1},
}
EMPTY = {
    "compare": {},
    "detection": {},
    "networks": ["baseline", "w0"],
    "detection_networks": [],
    "adapt": {},
    "score_check": {},
}
TASKS = {"noise": {"source": "folder", "metric": "top1"}}


class Miniature:
    """A folder with a corpus and a task of noise, in which experiments run.

    Attributes:
        ran: every stage that ran, as DVC names it, and the folder it ran in.
        read: folder and stage → indices of the images that the stage read of the corpus.
    """

    def __init__(self, root: Path):
        self.root, self.ran, self.read = root, [], defaultdict(set)
        self._made: dict[str, Path] = {}  # what a stage's outputs follow from → the folder that has them
        self._folders: dict[str, Path] = {}
        write_noise(root)

    def run(self, experiment: Experiment) -> Path:
        """Run what has not run yet; return the folder with artifacts/ of the experiment."""
        if experiment.name not in self._folders:
            folder = self.root / "experiments" / experiment.name
            folder.mkdir(parents=True)
            for name in ("splits", "dvc.yaml"):
                (folder / name).symlink_to(ROOT / name)
            params = changed(experiment.changes, experiment.profile)
            (folder / "params.yaml").write_text(yaml.dump(params, Dumper=yaml.CSafeDumper, sort_keys=False))
            stages = all_stages(folder)
            reached: set[str] = set()
            for target in targets(experiment, TASKS):
                for name in [target] if target in stages else [n for n in stages if n.partition("@")[0] == target]:
                    self._reach(name, stages, params, folder, reached)
            self._folders[experiment.name] = folder
        return self._folders[experiment.name]

    def _reach(self, name: str, stages: dict, params: dict, folder: Path, reached: set[str]) -> None:
        """Run a stage after those that it needs, or take what it made of the same parameters and files before."""
        if name in reached:
            return
        reached.add(name)
        stage = stages[name]
        deps = [dep for dep in stage["deps"] if dep.startswith("artifacts/")]
        for other in stages:
            if any(within(out, dep) for out in outs(stages[other]) for dep in deps):
                self._reach(other, stages, params, folder, reached)
        declared = {key: value_of(params, key) for key in stage.get("params", [])}
        inputs = {dep: content(folder / dep) for dep in deps}
        digest = hashlib.sha256(json.dumps([name, declared, inputs], sort_keys=True).encode()).hexdigest()
        if digest not in self._made:
            self._execute(name, stage["cmd"], folder)
            self._made[digest] = folder
            return
        for out in outs(stage):
            (folder / out).parent.mkdir(parents=True, exist_ok=True)
            (folder / out).symlink_to(self._made[digest] / out)

    def _execute(self, name: str, command: str, folder: Path) -> None:
        """As DVC starts it, but in this process."""
        module, *arguments = command.removeprefix("$SDR_LAUNCH ").removeprefix("python -m ").split()
        before, read, seen = sys.argv, ImageStore.read, self.read[folder, name]

        def noted(store: ImageStore, indices: np.ndarray) -> np.ndarray:
            seen.update(indices.tolist())
            return read(store, indices)

        here = Path.cwd()
        try:
            os.chdir(folder)
            os.environ["DVC_STAGE"] = name
            sys.argv, ImageStore.read = [module, *arguments], noted
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as left:
            raise AssertionError(f"{name}: {left.code}") from None
        finally:
            os.chdir(here)
            del os.environ["DVC_STAGE"]
            sys.argv, ImageStore.read = before, read
        self.ran.append((name, folder))


def changed(changes: dict[str, Any], profile: str = "") -> dict[str, Any]:
    """The project's parameters, or a profile's, made tiny, with an experiment's changes; then the epochs, whoever set them, made few."""
    text = (ROOT / "params.yaml").read_text()
    params = YAML(typ="safe").load(merged(text, profile, folder=ROOT / "profiles") if profile else text)
    params = merge(params, TINY) | EMPTY | {"tasks": TASKS}
    for name, value in changes.items():
        *path, last = name.split(".")
        if path == ["adapt"]:  # of another task
            last, value = next(iter(TASKS)), value | {"images": 40, "steps": 8}
        place = params
        for key in path:
            place = place[key]
        place[last] = value
    for name in ("pretrain", "sdr"):
        params[name]["epochs"] *= SCALE
        params[name]["optimization"]["warmup_epochs"] *= SCALE
    return params


def merge(base: dict, changes: dict) -> dict:
    return base | {k: merge(base[k], v) if isinstance(v, dict) else v for k, v in changes.items()}


def value_of(params: dict, name: str) -> Any:
    for key in name.split("."):
        params = params[key]
    return params


def all_stages(folder: Path) -> dict[str, dict]:
    """Every stage that DVC makes of the dvc.yaml and the params.yaml in a folder, with its outputs and dependencies."""
    from dvc.parsing import DataResolver
    from dvc.repo import Repo

    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    return DataResolver(Repo(str(folder), uninitialized=True), str(folder), pipeline).resolve()["stages"]


def outs(stage: dict) -> list[str]:
    return [
        next(iter(out)) if isinstance(out, dict) else out for out in stage.get("outs", []) + stage.get("metrics", [])
    ]


def content(path: Path) -> str:
    """Digest of a file, or of all files of a folder, links followed."""
    files = [path]
    if path.is_dir():
        files = [Path(place, name) for place, _, names in os.walk(path, followlinks=True) for name in names]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(path)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def within(out: str, dep: str) -> bool:
    """Whether an output is, or is part of, or contains a dependency."""
    return f"{out}/".startswith(f"{dep}/") or f"{dep}/".startswith(f"{out}/")


def write_noise(root: Path) -> None:
    """A corpus of five classes, and a task of three, whose images are noise around a colour."""
    rng = np.random.default_rng(0)

    def picture(file: Path, number: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        colour = np.array([60 + 40 * number, 230 - 40 * number, 128])
        Image.fromarray((colour + rng.normal(0, 40, (SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)).save(file)

    for number, name in enumerate(CLASSES):
        for i in range(PER_CLASS):
            picture(root / "corpus" / name / f"{i}.png", number)
    for task in TASKS:
        for split, n in (("train", 8), ("test", 4)):
            for number, i in itertools.product(range(3), range(n)):
                picture(root / "tasks" / task / split / f"class{number}" / f"{i}.png", number)
