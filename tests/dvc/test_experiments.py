"""A set of experiments from the command to the table: real git and DVC, and a miniature of the pipeline that writes what tables read."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
import yaml

from tests.dvc.conftest import ROOT, Repo

pytestmark = pytest.mark.pipeline

PARAMS = {"seed": 0, "sdr": {"distill": "siamkd"}, "tasks": {"shapes": {}}, "networks": ["baseline"]}
PIPELINE = """\
stages:
  pretrain:
    cmd: python stages/stage.py pretrain artifacts/baseline/config.json artifacts/timing/baseline.json
    params: [seed]
    outs: [artifacts/baseline, artifacts/timing/baseline.json]
  train_sdr:
    cmd: python stages/stage.py train_sdr artifacts/sdrnet/config.json artifacts/timing/sdrnet.json
    params: [seed, sdr]
    deps: [artifacts/baseline]
    outs: [artifacts/sdrnet, artifacts/timing/sdrnet.json]
  evaluate:
    matrix: {task: "${tasks}", network: "${networks}"}
    cmd: python stages/stage.py evaluate artifacts/eval/baseline/shapes.json
    deps: [artifacts/baseline]
    params: [seed]
    outs: ["artifacts/eval/${item.network}/${item.task}.json"]
  evaluate_routed:
    foreach: ${tasks}
    do:
      cmd: python stages/stage.py evaluate_routed artifacts/eval/sdr/shapes.json artifacts/route/shapes/ranking.csv artifacts/route/shapes/route.json
      deps: [artifacts/sdrnet]
      params: [seed, sdr]
      outs: ["artifacts/eval/sdr/${key}.json", "artifacts/route/${key}"]
"""
STAGE = """\
import json, os, pathlib, sys

seen = pathlib.Path(os.environ["SEEN"])
name, *outs = sys.argv[1:]
params = pathlib.Path("params.yaml").read_text()
seed = int(params.split("seed: ")[1].split()[0])
with (seen / "ran").open("a") as file:
    file.write(f"{name} {seed} {os.getpid()} {os.environ.get('SDR_SCRATCH')} {os.environ.get('OMP_NUM_THREADS')}\\n")
if (seen / f"hold-{name}-{seed}").exists():
    (seen / f"hold-{name}-{seed}").open("w").close()  # two pipes: "it runs" and, never, "go on"
    (seen / "never").open().close()
for kind, said in (("fail", "told to fail"), ("disturb", "No such file or directory: '/r/.dvc/cache/runs/1/2/.J.tmp'")):
    if (mark := seen / f"{kind}-{name}-{seed}").exists():
        mark.unlink()
        sys.exit(said)
score = 50 + seed + ("l2" in params) + (name == "evaluate_routed")
network = "sdr" if name == "evaluate_routed" else "baseline"
found = {
    "timing": {"images": 5, "seconds": 1.5, "device": "cpu"},
    "baseline": {"macs": 10**12},
    "sdrnet": {"macs": {"w0": 10**12, "subnet": 10**12}, "w0_images": 0},
    "route": {"verdict": "take it"},
    "eval": {"networks": {network: {"linear": score, "knn": score - 9}}},
}
for out in map(pathlib.Path, outs):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("score\\n1\\n3\\n" if out.suffix == ".csv" else json.dumps(found[out.parts[1]]))
"""
BASE, ONE, TWO = {"name": "base", "of": "baseline"}, {"name": "one", "of": "sdr"}, {"name": "two", "of": "sdr"}
SETS = {
    "table": {"seeds": [0], "rows": [BASE, ONE, TWO | {"set": {"sdr.distill": "l2"}}]},
    "trouble": {"seeds": [1, 2], "rows": [BASE]},
    "held": {"seeds": [3], "rows": [BASE, ONE]},
    "misspelt": {"seeds": [0], "rows": [BASE | {"set": {"sdr.distil": "l2"}}]},
}


class Workplace:
    """A repository with sets of experiments, and a folder beside it in which stages say that they run."""

    def __init__(self, repo: Repo, seen: Path):
        self.repo, self.seen = repo, seen
        seen.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "tools.experiments", *arguments],
            cwd=self.repo.root,
            env=self.repo.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def experiments(self, *arguments: str, status: int = 0) -> str:
        """Run the command to its end; return what it says."""
        process = self.start(*arguments)
        said = process.communicate(timeout=500)[0]
        assert process.returncode == status, said
        return said

    def ran(self) -> list[list[str]]:
        """Stage, seed, process, scratch and threads of all that ran."""
        file = self.seen / "ran"
        return [text.split() for text in file.read_text().splitlines()] if file.exists() else []

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.repo.root / f"metrics/experiments/{name}.csv").open() as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def place(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiments")
    root, seen = folder / "repo", folder / "seen"
    for name, text in (("dvc.yaml", PIPELINE), ("params.yaml", yaml.safe_dump(PARAMS)), ("stages/stage.py", STAGE)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".dvc").mkdir()
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    (root / "experiments").mkdir()
    for name, rows in SETS.items():
        more = {"title": "t", "question": "q", "reference": "base"}
        (root / f"experiments/{name}.yaml").write_text(yaml.safe_dump(more | rows))
    env = {k: v for k, v in environment.items() if k != "OMP_NUM_THREADS"}
    repo = Repo(root, env | {"PYTHONPATH": str(ROOT), "SEEN": str(seen)})
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.commit("Sources")
    return Workplace(repo, seen)


@pytest.fixture(scope="module")
def finished(place) -> str:
    """What the command says of a set that it runs from its beginning to its end."""
    return place.experiments("table")


def test_all_run_and_what_they_share_runs_once(place, finished):
    assert "table: 2 experiments to run, 3 rows in all" in finished and "table: 2 of 2 finished" in finished
    runs = Counter(stage for stage, *_ in place.ran())
    assert (runs["pretrain"], runs["evaluate"], runs["train_sdr"], runs["evaluate_routed"]) == (1, 1, 2, 2)
    assert {scratch for *_, scratch, _ in place.ran()} == {
        str(place.repo.root / ".scratch/experiments")
    }  # outlives them


def test_rows_name_commit_device_and_seed_beside_their_numbers(place, finished):
    base, one, two = place.table("table")
    head = place.repo.git("rev-parse", "HEAD")
    for row, name, linear, teramacs in (
        (base, "base", 50, (5, 5)),
        (one, "one", 51, (5, 10)),
        (two, "two", 52, (5, 10)),
    ):
        assert (row["row"], row["seed"], row["device"]) == (name, "0", "cpu") and head.startswith(row["commit"])
        assert float(row["linear"]) == float(row["linear.shapes"]) == linear and row["spread"] in ("", "1.0")
        assert (float(row["teramacs"]), float(row["teramacs_in_all"])) == teramacs


def test_what_is_finished_does_not_run_again(place, finished):
    """It has a row; or it ended as the command was killed, so that its row is made now; or a row of the same code."""
    before, rows = place.ran(), place.table("table")
    (place.repo.root / "metrics/experiments/table.csv").unlink()
    (place.repo.root / "README.md").write_text("Something else\n")
    place.repo.commit("Words")
    assert "0 experiments to run" in place.experiments("table")
    assert place.table("table") == rows and place.ran() == before
    stage = place.repo.root / "stages/stage.py"
    stage.write_text(STAGE + "# changed\n")
    place.repo.commit("Code")
    assert "2 experiments to run" in place.experiments("table", "--list")
    assert "0 experiments to run" in place.experiments("table", "--list", "--keep")
    stage.write_text(STAGE)
    place.repo.commit("As it was")
    assert "0 experiments to run" in place.experiments("table", "--list")


@pytest.mark.parametrize("file", ["params.yaml", "stages/new.py"])
def test_uncommitted_inputs_are_refused(place, file):
    changed = place.repo.root / file
    before = changed.read_text() if changed.exists() else None
    changed.write_text((before or "") + "# changed\n")
    said = place.experiments("trouble", status=1).splitlines()
    changed.unlink() if before is None else changed.write_text(before)
    assert said[1].startswith("error: commit your changes first") and said[2].endswith(file) and len(said) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tabel"], "error: no set of experiments `tabel`; there are held, misspelt, table, trouble"),
        (["misspelt"], "error: no parameter `sdr.distil` in params.yaml: is `sdr.distill` meant?"),
        (["table", "--jobs", "0"], "error: --jobs must be at least 1, not 0"),
    ],
)
def test_what_is_misspelt_is_one_message(place, arguments, says):
    assert place.experiments(*arguments, status=1).strip() == says


def test_one_fails_and_two_meet_in_the_run_cache(place):
    (place.seen / "fail-pretrain-2").touch()
    (place.seen / "disturb-pretrain-1").touch()
    said = place.experiments("trouble", "--jobs", "2", status=1)
    assert "again, two experiments met in DVC's run cache: seed-1_" in said and "1 of 2 finished, 1 failed" in said
    assert "told to fail" in said and "error: 1 of 2 failed (seed-2_" in said and "Traceback" not in said
    assert [row["seed"] for row in place.table("trouble")] == ["1"]
    assert {threads for _, seed, *_, threads in place.ran() if seed == "1"} == {str(max(1, (os.cpu_count() or 1) // 2))}
    assert "1 experiments to run" in place.experiments("trouble", "--jobs", "2")
    assert [row["seed"] for row in place.table("trouble")] == ["1", "2"]


def test_interrupted_it_leaves_nothing_running_and_the_same_command_goes_on(place):
    running = place.seen / "hold-train_sdr-3"
    os.mkfifo(running)
    os.mkfifo(place.seen / "never")
    process = place.start("held")
    with running.open():  # waits until the stage opens it
        pass
    stage = int(place.ran()[-1][2])
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 1 and "run the same command again to go on" in said
    assert not psutil.pid_exists(stage)
    running.unlink()
    assert "held: 1 of 1 finished" in place.experiments("held")
    assert Counter(stage for stage, seed, *_ in place.ran() if seed == "3")["pretrain"] == 1


def test_two_queued_by_hand_and_one_start(place):
    place.repo.dvc("exp", "run", "--queue", "--set-param", "seed=4,5", "evaluate")
    assert states(place.repo) == ["Queued", "Queued"]
    try:
        place.repo.dvc("queue", "start")
        while set(states(place.repo)) & {"Queued", "Running"}:  # DVC takes a second to say so
            pass
    finally:
        place.repo.dvc("queue", "stop", "--kill")
    assert states(place.repo) == ["Success", "Success"], place.repo.dvc("queue", "status")
    table = csv.DictReader(place.repo.dvc("exp", "show", "--csv").splitlines())
    assert {row["seed"] for row in table} >= {"4", "5"}


def states(repo: Repo) -> list[str]:
    lines = repo.dvc("queue", "status").splitlines()
    return [word for line in lines for word in line.split() if word in ("Queued", "Running", "Success", "Failed")]
