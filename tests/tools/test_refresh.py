import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdr.base import checked
from sdr.corpus import location
from sdr.detect import files as detection_files
from sdr.detect.sets import DetectionSpec
from sdr.sources import corpus_files, manifest
from sdr.sources.watched import indices, write_manifest
from sdr.tasks import files as task_files
from sdr.tasks.task import TaskSpec
from tests.detect.voc_tree import put, write_tree
from tools import refresh

ROOT = Path(__file__).parents[2]
PARAMS = """
data: {source: folder}
pretrain: {init: random}
compare: {}
tasks:
  insects: {source: folder, metric: top1}
  birds: {source: folder, metric: top1}
  digits: {source: builtin, metric: top1}
detection:
  street: {source: voc, detector: tiny, partial: true}
  birds: {source: scenes, detector: tiny}
"""
PIPELINE = """
stages:
  manifest_corpus:
    cmd: python -m stages.manifest_corpus
    params: [data.source]
    outs: [artifacts/manifests/corpus.csv]
  manifest:
    foreach: ${tasks}
    do:
      cmd: python -m stages.manifest
      params: ["tasks.${key}"]
      outs: ["artifacts/manifests/tasks/${key}.csv"]
  manifest_detection:
    foreach: ${detection}
    do:
      cmd: python -m stages.manifest_detection
      params: ["detection.${key}"]
      outs: ["artifacts/manifests/detection/${key}.csv"]
"""
FOLDER = TaskSpec(source="folder", metric="top1")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Two tasks in folders and a built-in one, and two detection sets, all with a manifest; no DVC."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_STAGE", "SDR_SCRATCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(location.TASKS, "tasks")
    monkeypatch.setenv(location.CORPUS, "corpus")
    Path("params.yaml").write_text(PARAMS)
    Path("corpus/a").mkdir(parents=True)
    Path("corpus/a/1.jpg").write_text("of the corpus")
    write_manifest(corpus_files.look("folder"))
    for name in ("insects", "birds"):
        Path("tasks", name, "train/a").mkdir(parents=True)
        Path("tasks", name, "train/a/1.jpg").write_text(name)
        write_manifest(task_files.look(name, FOLDER))
    write_manifest(task_files.look("digits", TaskSpec(source="builtin", metric="top1")))
    write_tree(tmp_path / "tasks/VOCdevkit")
    write_manifest(detection_files.look("street", DetectionSpec(source="voc", detector="tiny")))
    write_manifest(detection_files.look("birds", DetectionSpec(source="scenes", detector="tiny")))
    return tmp_path


@pytest.fixture
def run(workplace, monkeypatch, capsys):
    """Run the tool; return what it printed, and the targets that DVC was to make."""

    def run(*arguments: str) -> tuple[str, list[str]]:
        commands = []

        def start(command):
            commands.append(command)
            return subprocess.CompletedProcess(command, 0)

        monkeypatch.setattr(refresh.subprocess, "run", start)
        monkeypatch.setattr(sys, "argv", ["refresh", *arguments])
        try:
            refresh.main()
        except SystemExit as left:
            if left.code:
                return str(left.code), []
        assert len(commands) <= 1
        for command in commands:
            assert command[1:6] == ["-m", "dvc", "repro", "--single-item", "--force"]
        return capsys.readouterr().out, [target for command in commands for target in command[6:]]

    return run


def test_nothing_to_do_prints_nothing(run):
    assert run() == ("", [])


def test_what_changed_is_made_again_alone(run):
    Path("tasks/birds/train/a/2.jpg").write_text("new")
    said = "birds: 1 files differ from artifacts/manifests/tasks/birds.csv, such as birds/train/a/2.jpg\n"
    assert run() == (said, ["manifest@birds"])
    assert run("insects") == ("", [])
    os.utime("tasks/insects/train/a/1.jpg", ns=(1, 1))  # copied, say: the content is the same
    assert run()[1] == ["manifest@birds"]
    Path("tasks/insects/train/a/1.jpg").write_text("insectS")
    assert run()[1] == ["manifest@insects", "manifest@birds"]
    assert run("birds")[1] == ["manifest@birds"]


def test_a_changed_annotation_counts(run):
    put(Path("tasks/VOCdevkit"), "VOC2007", "000012", [])
    said, targets = run()
    assert targets == ["manifest_detection@street"]
    assert "files differ from artifacts/manifests/detection/street.csv" in said and "VOC2007" in said


def change_corpus(folder):
    (folder / "a/1.jpg").write_text("of the Corpus")  # as long as before


def add_to_corpus(folder):
    (folder / "a/2.jpg").write_text("new")


def take_from_corpus(folder):
    (folder / "a/1.jpg").rename(folder / "a/other.jpg")


@pytest.mark.parametrize("change", [change_corpus, add_to_corpus, take_from_corpus])
def test_a_changed_corpus_counts(run, change):
    change(Path("corpus"))
    said, targets = run()
    assert (
        targets == ["manifest_corpus"] and "corpus: " in said and "differ from artifacts/manifests/corpus.csv" in said
    )


def test_another_folder_of_the_corpus_counts_if_its_files_differ(run, monkeypatch):
    shutil.copytree("corpus", "moved")
    monkeypatch.setenv(location.CORPUS, "moved")
    assert run() == ("", [])
    Path("moved/a/1.jpg").write_text("another")
    assert run()[1] == ["manifest_corpus"]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("gone", ["emptied", "nowhere"])
def test_an_emptied_or_missing_corpus_stops(run, monkeypatch, gone, local):
    Path("emptied").mkdir()
    monkeypatch.setenv(location.CORPUS, "" if local else gone)
    if local:
        Path(location.LOCAL).write_text(f"{location.CORPUS}: {gone}\n")
    said, targets = run()
    assert targets == [] and gone in said and "or unset SDR_DATA" in said
    assert said.endswith("to leave results as they are")


def test_another_version_of_a_package_counts(run, monkeypatch):
    monkeypatch.setattr("sdr.sources.watched.metadata.version", lambda package: "999")
    assert run()[1] == ["manifest@digits", "manifest_detection@birds"]


def test_a_lost_manifest_is_made_again_rather_than_restored(run):
    Path("artifacts/manifests/tasks/birds.csv").unlink()
    assert run() == ("", ["manifest@birds"])


def test_files_that_are_elsewhere_leave_results_as_they_are(run, monkeypatch):
    monkeypatch.setenv(location.TASKS, "")
    monkeypatch.setenv(location.CORPUS, "")
    said, targets = run()
    assert targets == [] and said.startswith("corpus: not compared with the manifest: SDR_DATA is not")
    assert "insects, birds, street: not compared with the manifest: SDR_DATA_TASKS is not" in said
    said = said[said.index("insects") :]
    assert said.startswith("insects, birds, street: not compared with the manifest: SDR_DATA_TASKS is not")
    Path("artifacts/manifests/tasks/birds.csv").unlink()
    assert "insects, street: not compared" in run()[0]


def test_rehash_forgets_what_is_known(run):
    assert indices("tasks", "birds")
    assert run("--rehash", "birds") == ("", ["manifest@birds", "manifest_detection@birds"])  # both have this name
    assert not indices("tasks", "birds") and indices("tasks", "insects")


@pytest.mark.parametrize("name", ["cows", "a.b"])
def test_wrong_names_are_told(run, name):
    assert f"{name}: neither `corpus` nor in `tasks` or `detection`" in run(name)[0]


def test_a_name_that_no_path_can_hold_is_told(run):
    Path("params.yaml").write_text(PARAMS.replace("insects:", "a.b:"))
    assert "tasks: name 'a.b'" in run()[0]


def test_with_dvc(workplace):
    """The manifest of a changed folder is made again, and no other."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SDR_", "DVC_"))}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DVC_SITE_CACHE_DIR": str(workplace / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(workplace / "global"),
        "DVC_NO_ANALYTICS": "1",
        location.TASKS: "tasks",
        location.CORPUS: "corpus",
    }

    def run(*command: str) -> str:
        command = [sys.executable, "-m", *command]
        done = subprocess.run(command, cwd=workplace, env=env, stdout=-1, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("dvc", "init", "--no-scm", "--quiet")
    (workplace / "dvc.yaml").write_text(PIPELINE)
    checked.keep(checked.key())  # parameters for these stages alone
    run("dvc", "repro", "--quiet")
    (workplace / "tasks/birds/train/a/1.jpg").write_text("another bird")
    said = run("tools.refresh")
    assert "Running stage 'manifest@birds'" in said and said.count("Running stage") == 1
    assert manifest.read(workplace / "artifacts/manifests/tasks/birds.csv")["birds/train/a/1.jpg"].bytes == 12
    assert run("tools.refresh") == ""
    put(workplace / "tasks/VOCdevkit", "VOC2007", "000012", [])
    said = run("tools.refresh")
    assert "Running stage 'manifest_detection@street'" in said and said.count("Running stage") == 1
