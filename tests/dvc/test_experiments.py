"""A set of experiments from the command to the table: real git, DVC and its workers, stand-ins for the stage programs."""

import csv
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.dvc.conftest import Repo, stand_ins

pytestmark = pytest.mark.pipeline

ONE = {"name": "one", "of": "sdr"}
TWO = {"name": "two", "of": "sdr", "set": {"sdr.distill": "l2"}}
TABLE = {"title": "t", "question": "q", "reference": "one", "rows": [ONE, TWO]}
HURRY = (
    "import sys, tools.experiments as e\n"
    "e._LOOK, e._ASK, e._PATIENCE = 0.5, 3, 5\n"  # seconds, so that the test need not wait
    "sys.argv[0] = 'experiments'\n"
    "e.main()"
)


class Workplace:
    """A repository with sets of experiments, and a folder beside it in which the stand-ins say that they run."""

    def __init__(self, repo: Repo, seen: Path):
        self.repo, self.seen, self.mark = repo, seen, 0
        seen.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-c", HURRY, *arguments]
        return subprocess.Popen(
            command,
            cwd=self.repo.root,
            env=self.repo.env | {"STAND_IN": str(self.seen)},
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
        """Stage, seed and process of all that ran."""
        file = self.seen / "ran"
        return [text.split() for text in file.read_text().splitlines()] if file.exists() else []

    def pids(self) -> list[int]:
        return [int(pid) for _, _, pid, _ in self.ran()]

    @contextmanager
    def held(self, stage: str) -> Iterator[None]:
        """Let a stage wait wherever it runs."""
        (self.seen / f"hold-{stage}").touch()
        self.mark = len(self.ran())
        try:
            yield
        finally:
            (self.seen / f"hold-{stage}").unlink()

    def until_held(self, stage: str, process: subprocess.Popen, times: int = 1) -> None:
        """Wait until a stage that is held has started so often."""
        deadline = time.monotonic() + 300
        while sum(name == stage for name, *_ in self.ran()[self.mark :]) < times:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.2)

    def processes(self) -> list[psutil.Process]:
        """Those that work in the repository."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self.repo.root) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                pass
        return found

    def workers(self) -> list[psutil.Process]:
        return [process for process in self.processes() if "queue-worker" in process.cmdline()]

    def end(self) -> None:
        for process in self.processes():
            process.kill()


@pytest.fixture(scope="module")
def place(new_repo, tmp_path_factory):
    """Set `table` has two rows and two seeds; the others a row, and seeds of their own, so that they share nothing."""
    folder = tmp_path_factory.mktemp("experiments")
    repo = new_repo(folder / "repo")
    stand_ins(repo)
    task = {"source": "builtin", "metric": "top1"}
    repo.set_params(n_subnets=4, tasks={"shapes": task}, compare={}, detection={}, detection_compare=[])
    for file in (repo.root / "experiments").glob("*.yaml"):
        file.unlink()  # the project's own sets
    seeds = {"SIGINT": [2], "SIGTERM": [3], "killed": [4], "failing": [5, 6], "disturbed": [7], "left": [8, 9]}
    sets = {name: TABLE | {"seeds": numbers, "rows": [ONE]} for name, numbers in seeds.items()}
    sets["table"] = TABLE | {"seeds": [0, 1]}
    for name, content in sets.items():
        (repo.root / f"experiments/{name}.yaml").write_text(yaml.safe_dump(content))
    repo.commit("Sources")
    found = Workplace(repo, folder / "seen")
    yield found
    found.end()


@pytest.fixture(scope="module")
def finished(place) -> str:
    """What the command says of a set that it runs from its beginning to its end."""
    return place.experiments("table", "--jobs", "2")


def test_all_run_and_what_they_share_runs_once_a_seed(place, finished):
    assert "table: 4 experiments, 4 to run" in finished and "4/4" in finished
    runs = Counter((stage, seed) for stage, seed, *_ in place.ran())
    for seed in "01":
        assert runs["pretrain", seed] == runs["cluster", seed] == runs["linear_baseline", seed] == 1
        assert runs["train_sdr", seed] == runs["scores_sdr", seed] == 2


def test_again_nothing_is_to_run(place, finished):
    before = place.ran()
    assert "table: 4 experiments, 0 to run" in place.experiments("table")
    assert place.ran() == before


def test_the_table_has_the_numbers_of_the_experiments(place, finished):
    assert "table: 4 of 4 lines" in place.repo.run("python", "-m", "tools.tables", "table")
    with (place.repo.root / "metrics/experiments/table.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [text["row"] + text["seed"] for text in lines] == ["one0", "one1", "two0", "two1"]
    assert len({text["linear"] for text in lines}) == 4
    listed = place.repo.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    refs = {ref.rsplit("/", 1)[-1]: ref for ref in listed}
    for text in lines:
        lock = yaml.safe_load(place.repo.git("show", f"{refs[text['experiment']]}:dvc.lock"))
        [out] = lock["stages"]["scores_sdr"]["outs"]
        cached = place.repo.root / f".dvc/cache/files/md5/{out['md5'][:2]}/{out['md5'][2:]}"
        sdr = yaml.safe_load(cached.read_text())
        assert float(text["linear"]) == float(text["linear.shapes"]) == sdr["sdr"]["linear"]["mean"]
        assert float(text["teramacs"]) == sdr["training"]["teramacs"] < float(text["teramacs_in_all"])
        assert place.repo.git("rev-parse", "HEAD").startswith(text["commit"])


def test_another_commit_with_the_same_inputs_keeps_them_in_a_clone_their_lines_and_changed_code_neither(
    place, finished, tmp_path
):
    clone = tmp_path / "repo"
    place.repo.run("cp", "-r", str(place.repo.root), str(clone))
    other = Workplace(Repo(clone, place.repo.env), tmp_path / "seen")
    (clone / "README.md").write_text("Something else\n")
    other.repo.commit("Words")
    assert "4 experiments, 0 to run" in other.experiments("table", "--list")
    other.repo.run("python", "-m", "tools.tables", "table")
    lines = (clone / "metrics/experiments/table.csv").read_text()
    for ref in other.repo.git("for-each-ref", "--format=%(refname)", "refs/exps").split():
        other.repo.git("update-ref", "-d", ref)  # they are where they were run, the table is in git
    assert "table: 4 of 4 lines" in other.repo.run("python", "-m", "tools.tables", "table")
    assert (clone / "metrics/experiments/table.csv").read_text() == lines
    assert "4 experiments, 0 to run" in other.experiments("table", "--list", "--only-new")
    assert "4 experiments, 4 to run" in other.experiments("table", "--list")
    for line, runs in (("# a comment", 0), ("CHANGED = True", 4)):
        with (clone / "sdr/base/errors.py").open("a") as file:
            file.write(f"{line}\n")
        other.repo.commit("Code")
        assert f"4 experiments, {runs} to run" in other.experiments("table", "--list", "--only-new")
    assert "no experiment has finished" in other.repo.run("python", "-m", "tools.tables", ok=False)


@pytest.mark.parametrize("file", ["params.yaml", "sdr/base/errors.py", "sdr/new.py"])
def test_uncommitted_inputs_are_refused(place, file):
    changed = place.repo.root / file
    before = changed.read_text() if changed.exists() else None
    try:
        changed.write_text((before or "") + "# changed\n")
        said = place.experiments("failing", status=1).splitlines()
    finally:
        changed.unlink() if before is None else changed.write_text(before)
    assert said[0] == "failing: 2 experiments, 2 to run"
    assert said[1].startswith("error: commit your changes first") and said[2].endswith(file) and len(said) == 3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted_it_leaves_nothing_running_and_the_same_command_goes_on(place, name):
    """The stage is interrupted too, so that a training saves what it has."""
    with place.held("train_sdr"):
        process = place.start(name)
        place.until_held("train_sdr", process)
        process.send_signal(getattr(signal, name))
        said = process.communicate(timeout=200)[0]
    assert process.returncode == 1 and "run the same command again to go on" in said
    assert not [process for process in place.processes() if "queue-worker" not in process.cmdline()]
    assert "1/1 seed-" in place.experiments(name)


def test_after_its_worker_was_killed_the_same_command_finishes_the_set(place):
    """DVC goes on saying that the experiment runs, and its stage does run until the command interrupts it."""
    with place.held("train_sdr"):
        process = place.start("killed")
        place.until_held("train_sdr", process)
        orphan = psutil.Process(place.pids()[-1])
        for worker in place.workers():
            worker.kill()
        said = process.communicate(timeout=200)[0]
        assert process.returncode == 1 and "DVC's workers have gone" in said
        assert orphan.is_running() and "Running" in place.repo.dvc("queue", "status")
        process = place.start("killed")
        place.until_held("train_sdr", process, 2)
        assert not orphan.is_running()
    said = process.communicate(timeout=500)[0]
    assert process.returncode == 0 and "1/1 seed-4" in said


def test_workers_that_leave_while_more_is_queued_are_started_again(place):
    with place.held("train_sdr"):
        process = place.start("left")
        place.until_held("train_sdr", process)
        for worker in place.workers():
            worker.terminate()  # it ends what it runs, and takes nothing new
        time.sleep(2)
    said = process.communicate(timeout=500)[0]
    assert process.returncode == 0 and "started again" in said and "2/2 seed-" in said


def test_a_stage_that_fails_is_named_and_the_others_finish(place):
    fail = place.seen / "fail-train_sdr-6"
    fail.touch()
    said = place.experiments("failing", status=1)
    assert "1/2 seed-5" in said and "failed: seed-6" in said
    assert "train_sdr was told to fail" in said and "failed to reproduce 'train_sdr'" in said
    assert "error: 1 of 2 failed (seed-6" in said and "Traceback" not in said
    fail.unlink()
    again = place.experiments("failing")
    assert "2 experiments, 1 to run" in again and "1/1 seed-6" in again


def test_what_failed_since_two_workers_disturbed_each_other_runs_again(place):
    """DVC reads the run cache while another process writes it, and deletes what is half written."""
    (place.seen / "disturb-train_sdr-7").write_text("1")
    said = place.experiments("disturbed")
    assert "failed: seed-7" in said and "again, two of DVC's workers disturbed each other: seed-7" in said
    assert "1/1 seed-7" in said
    assert Counter(stage for stage, seed, *_ in place.ran() if seed == "7")["train_sdr"] == 2


def test_checkpoints_outlive_an_experiment(place, finished):
    """Its folder is temporary, so whatever a stage keeps to go on from lies in the repository."""
    assert {scratch for *_, scratch in place.ran()} == {str(place.repo.root / ".scratch/experiments")}
