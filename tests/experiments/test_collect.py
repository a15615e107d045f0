"""The numbers of a row, from the files of its experiment; tests/dvc collects whole tables from real ones."""

import json

import pytest
from dvc.cli import parse_args
from dvc.repo import Repo

from sdr.base.errors import UserError
from sdr.experiments.collect import collect, ended, finished, git, missing, numbers, places
from sdr.experiments.measured import FOLDER, read_lines
from sdr.experiments.sets import ExperimentSet, Row, experiments, targets
from tools.experiments import command


def scores(first: float) -> dict[str, dict]:
    return {"pets": {"linear": first, "knn": first}, "cars": {"linear": first + 2, "knn": first + 2}}


@pytest.fixture
def artifacts(tmp_path):
    found = {
        "baseline/config": {"macs": 10**12 // 100},
        "timing/baseline": {"images": 150, "seconds": 20.0, "device": "cpu"},
        "sdrnet/config": {"macs": {"w0": 10**12 // 100, "subnet": 10**12 // 40}, "w0_images": 50},
        "timing/sdrnet": {"images": 200, "seconds": 60.0, "device": "NVIDIA H200"},
    }
    for folder, networks in (
        ("baseline", {"baseline": 50}),
        ("w0", {"w0": 60}),
        ("sdr", {"sdr": 70}),
        ("thin", {"thin": 40}),
        ("adapted", {"adapted": 80}),
    ):
        for task in ("pets", "cars"):
            found[f"eval/{folder}/{task}"] = {
                "networks": {name: scores(first)[task] for name, first in networks.items()}
            }
    for task, images in (("pets", 100), ("cars", 300)):
        found[f"adapted/{task}/config"] = {"macs": 10**12 // 100}
        found[f"timing/adapted/{task}"] = {"images": images, "seconds": 10.0, "device": "cpu"}
    for name, content in found.items():
        file = tmp_path / f"artifacts/{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    for task, values in (("pets", (1, 3)), ("cars", (2, 6))):  # standard deviations 1 and 2
        (tmp_path / "artifacts/route" / task).mkdir(parents=True)
        (tmp_path / f"artifacts/route/{task}/ranking.csv").write_text("score\n{}\n{}\n".format(*values))
        said = {"pets": "take it", "cars": "no evidence: take the baseline"}[task]
        (tmp_path / f"artifacts/route/{task}/route.json").write_text(json.dumps({"verdict": said}))
    return tmp_path / "artifacts"


@pytest.mark.parametrize(
    ("of", "mean", "spread", "images", "teramacs", "in_all", "device"),
    [
        ("baseline", 51, "", 150, 1.5, 1.5, "cpu"),
        ("w0", 61, "", 200, 4.25, 5.75, "NVIDIA H200"),
        ("sdr", 71, 1.5, 200, 4.25, 5.75, "NVIDIA H200"),
        ("thin", 41, "", 150, 1.5, 1.5, "cpu"),  # pruned: its training is the baseline's
        ("adapted", 81, "", 200, 2.0, 3.5, "cpu"),  # of one task, in the mean
    ],
)
def test_scores_of_the_network_and_what_its_training_took(
    artifacts, of, mean, spread, images, teramacs, in_all, device
):
    found = numbers(of, artifacts)
    assert found["linear"] == found["knn"] == mean
    assert (found["linear.pets"], found["linear.cars"], found["knn.cars"]) == (mean - 1, mean + 1, mean + 1)
    assert (found["spread"], found["images"], found["device"]) == (spread, images, device)
    assert (found["teramacs"], found["teramacs_in_all"]) == (teramacs, in_all)
    assert all((artifacts.parent / file).exists() for file in places(of))


def test_what_routing_says_of_its_choice_is_a_word_a_task(artifacts):
    found = numbers("sdr", artifacts)
    assert (found["verdict.pets"], found["verdict.cars"]) == ("take", "none")
    assert not any(name.startswith("verdict") for name in numbers("w0", artifacts))
    file = artifacts / "route/cars/route.json"
    file.write_text('{"verdict": "it depends"}')
    with pytest.raises(UserError, match="route.json: 'it depends' is no verdict"):
        numbers("sdr", artifacts)


@pytest.mark.parametrize("of", ["ensemble", "other"])
def test_a_network_without_scores_is_named(artifacts, of):
    with pytest.raises(UserError, match=f"{of}|`tasks` is empty"):
        numbers(of, artifacts)


SETS = ExperimentSet(
    title="t",
    question="q",
    seeds=[0],
    reference="base",
    rows=[Row(name="base", of="baseline"), Row(name="ours", of="sdr")],
)


@pytest.fixture
def repo(artifacts, monkeypatch):
    """A repository in which the artifacts are committed as the results of the set's experiment, which DVC would do."""
    monkeypatch.chdir(artifacts.parent)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "t")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@localhost")
    (artifacts.parent / "params.yaml").write_text("tasks: {pets: {}, cars: {}}\n")
    for words in (["init", "-q"], ["add", "params.yaml"], ["commit", "-qm", "code"]):
        git(*words)
    Repo.init(".").close()
    head = git("rev-parse", "HEAD")
    git("add", "--force", "artifacts", "params.yaml")
    git("commit", "-qm", "results")
    [experiment] = experiments(SETS)
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{experiment.name}", "HEAD")
    git("reset", "-q", "--hard", head)
    return head


def test_what_has_finished_becomes_rows_once_and_is_missing_no_more(repo):
    assert len(missing("mine", SETS)) == 1
    collect("mine", SETS, finished(missing("mine", SETS)))
    base, ours = read_lines(FOLDER / "mine.csv")
    assert (base.row, base.numbers["linear"], ours.row, ours.numbers["linear"]) == ("base", 51, "ours", 71)
    assert (base.device, ours.device, ours.commit, ours.seed) == ("cpu", "NVIDIA H200", repo[:12], 0)
    assert missing("mine", SETS) == []


def test_a_row_counts_while_code_and_parameters_are_those_of_its_commit(repo, tmp_path):
    collect("mine", SETS, finished(experiments(SETS)))
    for file, counts in (("README.md", True), ("params.yaml", False)):
        (tmp_path / file).write_text("tasks: {}\n")
        git("add", file)
        git("commit", "-qm", "later")
        assert (missing("mine", SETS) == []) == counts and bool(finished(experiments(SETS))) == counts
    assert missing("mine", SETS, any_code=True) == []
    changed = SETS.model_copy(update={"rows": [SETS.rows[0], SETS.rows[1].model_copy(update={"set": {"a": 1}})]})
    assert len(missing("mine", changed, any_code=True)) == 2  # of another name, since they no longer share it


def test_rows_of_other_experiments_stay(repo):
    collect("mine", SETS, finished(experiments(SETS)))
    more = SETS.model_copy(update={"rows": [Row(name="new", of="w0"), *SETS.rows]})
    collect("mine", more, {})
    assert [line.row for line in read_lines(FOLDER / "mine.csv")] == ["base", "ours"]


def test_an_experiment_without_the_scores_of_a_row_is_named_with_its_cure(repo):
    rows = [SETS.rows[0], SETS.rows[1].model_copy(update={"of": "votes"})]
    other = SETS.model_copy(update={"rows": rows})
    [experiment] = experiments(other)
    place = finished(experiments(SETS)).popitem()[1]
    with pytest.raises(UserError, match=f"experiment {experiment.name} has no scores of 'votes' .*: `dvc exp remove"):
        collect("mine", other, {experiment.name: place})


def test_dvc_knows_the_options_that_run_an_experiment():
    [experiment] = experiments(SETS)
    args = parse_args(command(experiment, ["--set-param", "seed=0"], ["pets"])[3:])
    assert (args.tmp_dir, args.name, args.set_param) == (True, experiment.name, ["seed=0"])
    assert args.targets == targets(experiment, ["pets"]) and args.wait_for_lock


def test_a_row_is_of_the_run_that_has_just_ended(monkeypatch):
    experiment, before, after = next(iter(experiments(SETS))), ("a" * 40, "b" * 40), ("c" * 40, "d" * 40)
    for now, earlier in ((after, before), (after, None)):
        monkeypatch.setattr("sdr.experiments.collect.finished", lambda *_, **__: {experiment.name: now})  # noqa: B023
        assert ended(experiment, {experiment.name: earlier} if earlier else {}) == {experiment.name: now}
    for left in ({experiment.name: before}, {}):
        monkeypatch.setattr("sdr.experiments.collect.finished", lambda *_, **__: left)  # noqa: B023
        with pytest.raises(UserError, match="no result of this run"):
            ended(experiment, left)
