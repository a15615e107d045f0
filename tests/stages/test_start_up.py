"""What a stage imports before it starts: imports are most of the time of a small stage."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "torchvision", "timm", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "faiss", "dvc", "rich"}
# What the programs that run no network load of these.
LIGHT = {
    "manifest": set(),
    "manifest_corpus": set(),
    "manifest_detection": set(),
    "prepare": set(),
    "prepare_detection": set(),
    "prepare_task": set(),
    "report": {"matplotlib"},
    "start": set(),
}
NETWORK = {"torch", "torchvision", "timm", "scipy"}  # scipy: the assignment of clusters to paths
LOADED = """
import importlib, json, os, sys
heavy = set(json.loads(sys.argv[1]))
for stage in sys.argv[2:]:
    if not os.fork():  # each starts with nothing loaded
        importlib.import_module(f"stages.{stage}")
        print(json.dumps([stage, sorted(heavy & {*sys.modules})]), flush=True)
        os._exit(0)
    os.wait()
"""


def stages() -> set[str]:
    return {file.stem for file in (ROOT / "stages").glob("[a-z]*.py")}


def test_stages_without_a_network_load_no_library_of_networks():
    there = sorted(stages() & {*LIGHT})
    command = [sys.executable, "-c", LOADED, json.dumps(sorted(HEAVY)), *there]
    done = subprocess.run(command, cwd=ROOT, stdout=-1, text=True, check=True)
    loaded = {stage: set(names) for stage, names in map(json.loads, done.stdout.splitlines())}
    assert loaded == {stage: LIGHT[stage] for stage in there}


def test_stages_with_a_network_load_nothing_but_its_libraries():
    """All in one process: what none of them loads, no single one does."""
    code = "import importlib, sys\nfor stage in sys.argv[1:]: importlib.import_module(f'stages.{stage}')\n"
    command = [sys.executable, "-c", code + "print(*sys.modules)", *sorted(stages() - {*LIGHT})]
    done = subprocess.run(command, cwd=ROOT, stdout=-1, text=True, check=True)
    assert HEAVY & {*done.stdout.split()} <= NETWORK
