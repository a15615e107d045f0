"""The rows of a running training can be drawn, though the rest of `.scratch` is nothing to DVC."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def dvc(folder: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_live_rows_are_drawn(tmp_path):
    dvc(tmp_path, "init", "--no-scm", "-q")
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    live = tmp_path / ".scratch/live/pretrain.csv"
    live.parent.mkdir(parents=True)
    live.write_text("step,loss\n0,-0.1234\n10,-0.5678\n")
    dvc(tmp_path, "plots", "show", ".scratch/live/pretrain.csv", "-x", "step", "-y", "loss", "-o", "out")
    assert "-0.5678" in (tmp_path / "out/index.html").read_text()
