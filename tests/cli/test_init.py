"""`sdr init` as a command, and as `make init`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_make_hands_on_folders_with_spaces_and_options():
    line = ["make", "-n", "init", "IMAGES=/my pictures", "TASKS=/my tasks", "PROFILE=gpu", "FORCE=1"]
    said = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 'sdr init --images "/my pictures" --tasks "/my tasks" --profile "gpu"' in said
    assert "--force" in said and "--from" not in said
    said = subprocess.run(line[:4], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (
        '--images "/my pictures"' in said and "--tasks" not in said and "--force" not in said and "--from" not in said
    )


def test_wrong_folders_are_told_at_once(tmp_path):
    for words, says in (
        (["--images", str(tmp_path)], "this folder is empty"),
        (["--images", str(tmp_path / "no")], "not found"),
        (["--images", __file__], "a file, not a folder"),
        (["--images", str(ROOT / "docs"), "--tasks", str(tmp_path)], "this folder is empty"),
    ):
        done = subprocess.run([sys.executable, "-m", "sdr", "init", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and says in done.stderr and len(done.stderr.splitlines()) == 1
