"""Reading a run: every file that a task needs, and nothing that belongs to no task."""

import json
import shutil

import pytest

from sdr.base.errors import UserError
from sdr.report.run import OWN, groups_of, read_run
from tests.report.conftest import TASKS, path_of, write_detection, write_log, write_others, write_timing


def test_reads_everything_in_the_order_of_params(make_artifacts):
    artifacts = make_artifacts()
    run = read_run(artifacts, reversed(TASKS), 16, 0)
    assert [task.name for task in run.tasks] == TASKS[::-1]
    assert len(run.clusters) == 16
    for task in run.tasks:
        assert list(task.ranking["rank"]) == list(range(1, 17))
        assert task.best["score"] == task.ranking["score"].max()
        assert set(task.networks) == {"baseline", "w0", "sdr"}


def test_paths_keep_leading_zeros(make_artifacts):
    run = read_run(make_artifacts(["letters"], 4), ["letters"], 4, 0)
    assert dict(zip(run.tasks[0].ranking["subnet"], run.tasks[0].ranking["path"], strict=True)) == {
        i: path_of(i) for i in range(4)
    }
    assert groups_of("0-2-1-3") == groups_of("(0, 2, 1, 3)") == (0, 2, 1, 3)


@pytest.mark.parametrize(
    "missing",
    [
        "data/meta.json",
        "baseline/history.csv",
        "sdrnet/probe.csv",
        "sdrnet/config.json",
        "clusters/clusters.csv",
        "route/kinds/ranking.csv",
        "route/kinds/route.json",
        "eval/sdr/kinds.json",
        "eval/baseline/kinds.json",
        "eval/w0/kinds.json",
        "calibration/meta.json",
        "tasks/kinds/meta.json",
    ],
)
def test_a_missing_artifact_is_named(make_artifacts, missing):
    artifacts = make_artifacts(["kinds"], 3)
    (artifacts / missing).unlink()
    with pytest.raises(UserError, match=rf"{missing}: missing; run `dvc repro`"):
        read_run(artifacts, ["kinds"], 3, 0)


@pytest.mark.parametrize("left", ["route/letters", "tasks/letters", "eval/sdr/letters.json", "eval/w0/letters.json"])
def test_a_stale_artifact_is_named_with_its_cure(make_artifacts, left):
    artifacts = make_artifacts(["kinds", "letters"], 3)
    for path in [*artifacts.glob("*/letters"), *artifacts.glob("eval/*/letters.json")]:
        if path != artifacts / left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=rf"{left}: left over .*python -m tools\.prune"):
        read_run(artifacts, ["kinds"], 3, 0)


def test_half_written_outputs_are_not_stale(make_artifacts):
    artifacts = make_artifacts(["kinds"], 3)
    (artifacts / "route/.letters.partial").mkdir()
    assert len(read_run(artifacts, ["kinds"], 3, 0).tasks) == 1


def test_no_task(make_artifacts):
    assert read_run(make_artifacts([], 4), [], 4, 0).tasks == []


def test_a_ranking_of_another_n_subnets_is_refused(make_artifacts):
    with pytest.raises(UserError, match=r"ranks 4 sub-nets and n_subnets is 16"):
        read_run(make_artifacts(["kinds"], 4), ["kinds"], 16, 0)


def test_broken_files_are_named(make_artifacts):
    artifacts = make_artifacts(["kinds"], 3)
    file = artifacts / "eval/sdr/kinds.json"
    whole = json.loads(file.read_text())
    file.write_text("{")
    with pytest.raises(UserError, match=r"kinds\.json: not valid JSON"):
        read_run(artifacts, ["kinds"], 3, 0)
    del whole["networks"]["sdr"]
    file.write_text(json.dumps(whole))
    with pytest.raises(UserError, match=r"kinds\.json: no scores of `sdr`"):
        read_run(artifacts, ["kinds"], 3, 0)
    (artifacts / "clusters/clusters.csv").write_text("cluster,size\n0,5\n")
    with pytest.raises(UserError, match=r"clusters\.csv: lacks the columns purity, domain"):
        read_run(artifacts, ["kinds"], 3, 0)
    (artifacts / "clusters/clusters.csv").write_text("")
    with pytest.raises(UserError, match=r"clusters\.csv: not a CSV table"):
        read_run(artifacts, ["kinds"], 3, 0)


def test_what_was_trained_on_for_a_task_stands_beside_it(make_artifacts):
    artifacts = make_artifacts(["kinds", "letters"], 3)
    write_others(artifacts, ["kinds"], ["adapted"])
    run = read_run(artifacts, ["kinds", "letters"], 3, 0, adapt=["kinds"])
    assert [list(task.others) for task in run.tasks] == [["adapted"], []]
    with pytest.raises(UserError, match=r"eval/adapted/kinds\.json: left over"):
        read_run(artifacts, ["kinds", "letters"], 3, 0)


def test_other_backbones_and_detection(make_artifacts):
    artifacts = make_artifacts(["kinds"], 3)
    write_others(artifacts, ["kinds"], ["moco"])
    write_detection(artifacts, "demo")
    run = read_run(artifacts, ["kinds"], 3, 0, [*OWN, "moco"], ["demo"], ["baseline"])
    assert list(run.tasks[0].others) == ["moco"]
    assert set(run.detection[0].networks) == {"baseline", "sdr"}
    with pytest.raises(UserError, match=r"eval/moco/kinds\.json: left over"):
        read_run(artifacts, ["kinds"], 3, 0, detection=["demo"], detection_networks=["baseline"])
    with pytest.raises(UserError, match=r"eval/detection/baseline/demo\.json.*left over"):
        read_run(artifacts, ["kinds"], 3, 0, networks=[*OWN, "moco"])
    with pytest.raises(UserError, match=r"eval/swav/kinds\.json: missing"):
        read_run(
            artifacts,
            ["kinds"],
            3,
            0,
            networks=[*OWN, "moco", "swav"],
            detection=["demo"],
            detection_networks=["baseline"],
        )
    with pytest.raises(UserError, match=r"eval/detection/moco/demo\.json: missing"):
        read_run(
            artifacts,
            ["kinds"],
            3,
            0,
            networks=[*OWN, "moco"],
            detection=["demo"],
            detection_networks=["baseline", "moco"],
        )


def test_timings_are_read_where_there_are_any(make_artifacts):
    artifacts = make_artifacts(["kinds"], 3)
    assert read_run(artifacts, ["kinds"], 3, 0).timing == {}
    write_timing(artifacts)
    (artifacts / "timing/baseline.json").unlink()
    timing = read_run(artifacts, ["kinds"], 3, 0).timing
    assert set(timing) == {"sdrnet"} and timing["sdrnet"]["seconds"] == 243.9


def test_the_log_is_that_of_this_pipeline(make_artifacts, tmp_path):
    artifacts = make_artifacts(["kinds"], 3)
    assert read_run(artifacts, ["kinds"], 3, 0, log=tmp_path / "runs.csv").ran == []
    write_log(tmp_path / "runs.csv")
    ran = read_run(artifacts, ["kinds"], 3, 0, log=tmp_path / "runs.csv").ran
    assert [run.stage for run in ran] == [
        "prepare",
        "prepare_task@kinds",
        "pretrain",
        "train_sdr",
        "route@kinds",
        "evaluate_routed@kinds",
    ]


def test_w0_is_read_only_where_it_was_asked_for_and_trained(make_artifacts):
    artifacts = make_artifacts(["kinds"], 3)
    write_detection(artifacts, "demo")
    run = read_run(artifacts, ["kinds"], 3, 0, ["baseline", "w0"], ["demo"], ["baseline"]).tasks[0]
    assert "w0" in run.networks and run.route["w0"] is not None
    shutil.rmtree(artifacts / "eval/w0")
    config = artifacts / "sdrnet/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"w0_trained": False}))
    run = read_run(artifacts, ["kinds"], 3, 0, ["baseline"], ["demo"], ["baseline"]).tasks[0]
    assert set(run.networks) == {"baseline", "sdr"} and run.route["w0"] is None
    with pytest.raises(UserError, match="networks: `w0`: this super-net's W_0 was never trained"):
        read_run(artifacts, ["kinds"], 3, 0, ["baseline", "w0"], ["demo"], ["baseline"])
