import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIPELINE = """\
# The pipeline.
stages:
  one:
    cmd: python -m stages.one
    params: [seed, "tasks.${key}"]  # kept
    deps:
      - artifacts/data  # kept
      - sdr/gone.py
    outs: ["artifacts/one"]

  many:
    foreach: ${tasks}
    do:
      cmd: $SDR_LAUNCH python -m stages.one ${key}
      deps:
        - stages/one.py
      outs: ["artifacts/many/${key}"]

  other:
    cmd: echo
    deps: [README.md]
"""


def run(root: Path, *args: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tools.stage_deps", *args]
    result = subprocess.run(command, cwd=root, env={"PYTHONPATH": str(ROOT)}, stdout=-1, stderr=-2, text=True)
    return result.returncode, result.stdout


def test_lists_then_writes_then_is_content(tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / "sdr").mkdir()
    (tmp_path / "stages/one.py").write_text("import sdr.a")
    (tmp_path / "sdr/a.py").touch()
    (tmp_path / "dvc.yaml").write_text(PIPELINE)

    status, output = run(tmp_path)
    assert status == 1
    assert "one:\n  + sdr/a.py\n  + stages/one.py\n  - sdr/gone.py\nmany:\n  + sdr/a.py\n" in output
    assert (tmp_path / "dvc.yaml").read_text() == PIPELINE

    assert run(tmp_path, "--write")[0] == 0
    assert (tmp_path / "dvc.yaml").read_text() == PIPELINE.replace(
        "      - sdr/gone.py\n", "      - sdr/a.py\n      - stages/one.py\n"
    ).replace("        - stages/one.py\n", "        - sdr/a.py\n        - stages/one.py\n")
    assert run(tmp_path) == (0, "")
