"""The manifest's stage, without DVC, in a folder of its own."""

import sys
from pathlib import Path

import pytest

from sdr.sources import manifest
from stages.manifest import main

PARAMS = """
tasks:
  insects: {source: folder, metric: mean_per_class}
  digits: {source: builtin, metric: top1}
  pets: {source: pets, metric: mean_per_class}
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the program; return what it printed, or its error."""
    for name in ("ant/1.jpg", "bee/2.jpg"):
        (tmp_path / "tasks/insects/train" / name).parent.mkdir(parents=True)
        (tmp_path / "tasks/insects/train" / name).write_text(name)
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_STAGE", "SDR_SCRATCH"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, root: str = "tasks") -> str:
        monkeypatch.setenv("SDR_DATA_TASKS", root)
        monkeypatch.setattr(sys, "argv", ["manifest", *arguments])
        try:
            main()
        except SystemExit as left:
            return str(left.code)
        return capsys.readouterr().out

    return run


def test_it_writes_the_manifest_and_an_index(run, tmp_path):
    assert run("insects") == "manifest insects: 2 files, 0.0 MB\n"
    files = manifest.read(tmp_path / "artifacts/manifests/tasks/insects.csv")
    assert list(files) == ["insects/train/ant/1.jpg", "insects/train/bee/2.jpg"]
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    assert written[1:] == [Path("artifacts/manifests/tasks/insects.csv")]
    assert written[0].parent == Path(".scratch/manifests/tasks")


def test_a_built_in_task_needs_no_folder(run, tmp_path):
    run("digits", root="")
    text = (tmp_path / "artifacts/manifests/tasks/digits.csv").read_text()
    assert text.startswith("path,bytes,sha256\nscikit-learn==") and text.endswith(",0,\n")


@pytest.mark.parametrize(
    ("arguments", "root", "message"),
    [
        ([], "tasks", "TASK is one of `tasks`: insects, digits, pets"),
        (["../insects"], "tasks", "tasks: name '../insects': use letters, digits"),
        (["birds"], "tasks", "`birds` is not in `tasks` of params.yaml; there are: insects"),
        (["insects"], "", "SDR_DATA_TASKS is not set"),
        (["insects"], "tasks/insects", "insects not found; it should hold train/CLASS/*"),
        (["pets"], "tasks", "of data set pets not found in"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(run, tmp_path, arguments, root, message):
    error = run(*arguments, root=root)
    assert error.startswith("error: ") and message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "artifacts").exists() and not (tmp_path / ".scratch").exists()
