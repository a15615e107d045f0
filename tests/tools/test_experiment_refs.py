"""Whether a finished experiment would come out the same today: code and parameters of the stages that lead to its scores."""

import hashlib

import pytest

from sdr.experiments.sets import Experiment
from tools.experiment_refs import _md5, holds

PARAMS = {"seed": 0, "sdr": {"epochs": 20, "distill": "siamkd"}, "tasks": {"a": {}}, "pruned": {}}
WANTED = Experiment({"sdr.distill": "l2", "seed": 3}, ("scores_sdr",))


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _md5.cache_clear()
    for name in ("sdr/loop.py", "sdr/page.py", "stages/train.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def code(name: str) -> dict:
        return {"path": name, "md5": hashlib.md5(name.encode()).hexdigest()}

    def stage(deps: list, outs: list, **params) -> dict:
        return {"deps": deps, "outs": [{"path": out} for out in outs], "params": {"params.yaml": params}}

    yield {
        "train": stage(
            [code("sdr/loop.py"), code("stages/train.py")],
            ["artifacts/sdrnet"],
            **{"seed": 3, "sdr": {"epochs": 20, "distill": "l2"}},
        ),
        "linear@a": stage(
            [{"path": "artifacts/sdrnet", "md5": "x.dir"}], ["artifacts/eval/sdr/a.json"], **{"tasks.a": {}}
        ),
        "scores_sdr": stage(
            [{"path": "artifacts/eval/sdr", "md5": "y.dir"}], ["artifacts/scores/sdr.json"], tasks={"a": {}}
        ),
        "report": stage(
            [code("sdr/page.py"), {"path": "artifacts/eval", "md5": "z.dir"}], ["report"], compare={"b": {}}
        ),
    }
    _md5.cache_clear()


def test_it_holds_as_it_is(lock):
    assert holds(lock, WANTED, PARAMS, "HEAD")


def test_code_on_the_way_to_the_scores_counts(lock, tmp_path):
    (tmp_path / "sdr/loop.py").write_text("changed")
    assert not holds(lock, WANTED, PARAMS, "HEAD")


def test_lost_code_counts(lock, tmp_path):
    (tmp_path / "stages/train.py").unlink()
    assert not holds(lock, WANTED, PARAMS, "HEAD")


def test_code_beside_the_way_does_not_count(lock, tmp_path):
    (tmp_path / "sdr/page.py").write_text("changed")
    assert holds(lock, WANTED, PARAMS, "HEAD")


@pytest.mark.parametrize(
    "params",
    [
        PARAMS | {"sdr": PARAMS["sdr"] | {"epochs": 10}},
        PARAMS | {"sdr": PARAMS["sdr"] | {"more": 1}},
        PARAMS | {"tasks": {"a": {}, "b": {}}},
    ],
)
def test_parameters_count(lock, params):
    assert not holds(lock, WANTED, params, "HEAD")


def test_parameters_that_it_changes_itself_or_that_no_stage_reads_do_not(lock):
    assert holds(
        lock, WANTED, PARAMS | {"seed": 7, "sdr": PARAMS["sdr"] | {"distill": "none"}, "compare": {"c": {}}}, "HEAD"
    )


def test_another_change_is_another_experiment(lock):
    assert not holds(lock, Experiment({"sdr.distill": "none", "seed": 3}, ("scores_sdr",)), PARAMS, "HEAD")
    assert not holds(lock, Experiment({"sdr.distill": "l2", "seed": 4}, ("scores_sdr",)), PARAMS, "HEAD")


def test_a_stage_that_it_never_reached(lock):
    assert not holds(lock, Experiment(WANTED.changes, ("scores_pruned@x",)), PARAMS, "HEAD")
