"""What runs when something changes: the real dvc.yaml with stand-ins for the stage programs.

DVC's graph is asked (`ask`), which takes a second a question; DVC runs (`repo`) where more than the graph decides: copies of
results, its run cache, what lies in folders, what a program says.
"""

import pytest
import yaml

from sdr.base.profiles import merged
from tests.dvc.conftest import ROOT
from tests.dvc.graph import Graph

AFTER_N_SUBNETS = {
    *("cluster", "train_sdr", "calibrate", "report", "route_detection@demo", "finetune_routed@demo"),
    *(f"{stage}@{task}" for stage in ("route", "evaluate_routed") for task in ("shapes", "flowers")),
    *(f"evaluate@{task}-w0" for task in ("shapes", "flowers")),
}
FINETUNED = {"finetune_routed@demo", "finetune@demo-baseline", "finetune@demo-moco-v2"}


def of_task(name):
    """The stages of one task."""
    own = {f"{stage}@{name}" for stage in ("manifest", "prepare_task", "route", "evaluate_routed")}
    return own | {f"evaluate@{name}-{network}" for network in ("baseline", "w0", "moco-v2")}


def test_nothing_runs_twice(repo):
    output = repo.dvc("repro")
    assert "Running" not in output and "Data and pipelines are up to date" in output
    assert repo.run("python", "-m", "tools.prune") == ""
    assert repo.git("status", "--porcelain") == ""


def test_a_new_task_runs_its_own_stages_and_the_report(repo):
    repo.set_params(tasks=repo.params["tasks"] | {"new-1": {"source": "folder", "metric": "map"}})
    own = of_task("new-1") | {"report"}
    assert Graph(repo.root).runs() == own  # what other tests ask and do not run
    assert repo.repro() == own


def test_a_new_task_is_routed_alone(ask, rehearsed):
    changed = ask(tasks=rehearsed.params["tasks"] | {"new": {"source": "folder", "metric": "top1"}})
    own = {f"{stage}@new" for stage in ("manifest", "prepare_task", "route", "evaluate_routed")}
    assert changed.runs("evaluate_routed@new") == own


def test_a_changed_task_runs_its_own_stages_and_the_report(ask, rehearsed):
    tasks = rehearsed.params["tasks"]
    changed = ask(tasks=tasks | {"flowers": tasks["flowers"] | {"metric": "mean_per_class"}})
    assert changed.runs() == of_task("flowers") | {"report"}


@pytest.mark.parametrize(
    ("stage", "params"),
    [
        ("backbone", {"compare": {"moco-v2": {"source": "checkpoint"}, "new": {"source": "checkpoint"}}}),
        ("prune", {"pruned": {"new": {"how": "structured"}}}),
    ],
)
def test_another_backbone_runs_its_own_stages_and_the_report(ask, rehearsed, stage, params):
    changed = ask(networks=[*rehearsed.params["networks"], "new"], **params)
    own = {f"{stage}@new"} | {f"evaluate@{task}-new" for task in ("shapes", "flowers")}
    assert changed.runs() == own | {"report"}
    assert not own & changed.after("cluster")  # it hangs at most on the baseline, not on the sub-nets


def test_a_name_of_another_backbone_is_refused_for_a_pruned_baseline(ask):
    """By DVC, for both would write the same files; `tools.check`, which `make repro` starts with, says it plainly (its test)."""
    from dvc.exceptions import DvcException

    with pytest.raises(DvcException, match="artifacts/backbones/moco-v2"):
        ask(compare={"moco-v2": {"source": "random"}}, pruned={"moco-v2": {"how": "structured"}})


def test_a_changed_backbone_runs_its_own_stages_and_the_report(ask):
    changed = ask(compare={"moco-v2": {"source": "checkpoint", "file": "other.pth"}})
    own = {"backbone@moco-v2", "finetune@demo-moco-v2"}
    assert changed.runs() == own | {f"evaluate@{task}-moco-v2" for task in ("shapes", "flowers")} | {"report"}


def test_other_settings_of_the_detector_keep_the_classification(ask, rehearsed):
    detectors = rehearsed.params["detectors"]
    changed = ask(detectors=detectors | {"tiny": detectors["tiny"] | {"iterations": 1}})
    assert changed.runs() == FINETUNED | {"route_detection@demo", "report"}


def test_one_group_of_stages_by_its_name(ask):
    """Whoever only evaluates a checkpoint of their own needs neither corpus nor training."""
    compare, tasks = {"mine": {"source": "checkpoint"}}, {"new": {"source": "pets"}}
    changed = ask(compare=compare, networks=["baseline", "w0", "mine"], tasks=tasks, detection_networks=["baseline"])
    own = {"manifest@new", "prepare_task@new", "backbone@mine", "evaluate@new-mine"}
    assert changed.runs("evaluate@new-mine") == own


def test_other_networks_alone_are_evaluated_without_corpus_or_training(ask):
    """`networks` without our own two: then the whole group of stages hangs on the tasks' files and the checkpoints alone."""
    compare, tasks = {name: {"source": "checkpoint"} for name in ("mine", "supervised")}, {"new": {"source": "pets"}}
    found = ask(compare=compare, networks=["mine", "supervised"], tasks=tasks, detection={}, detection_networks=[])
    evaluations = [f"evaluate@new-{network}" for network in compare]
    own = {"manifest@new", "prepare_task@new", *(f"backbone@{network}" for network in compare), *evaluations}
    assert found.group("evaluate") == set(evaluations)  # what `dvc repro evaluate` asks for
    assert found.needs(*evaluations) == found.runs(*evaluations) == own


def test_the_paper_s_profile_evaluates_other_networks_without_the_corpus(ask):
    params = yaml.safe_load(merged((ROOT / "params.yaml").read_text(), "imagenet-simsiam"))
    params["compare"] |= {"supervised": {"source": "torchvision", "model": "resnet50", "weights": "IMAGENET1K_V1"}}
    found = ask(**params | {"networks": ["random", "pixels", "supervised"]})
    stages = {name.partition("@")[0] for name in found.needs(*found.group("evaluate"))}
    assert len(found.group("evaluate")) == 3 * 11
    assert stages == {"manifest", "prepare_task", "backbone", "evaluate"}


def test_scores_are_checked_on_demand(ask):
    assert ask(score_check={"flowers": {}}).runs() == {"check_scores@flowers", "report"}


def test_results_of_experiments_run_nothing(ask):
    assert ask({"metrics/experiments/table3.csv": "row,seed\n"}).runs() == set()


def test_another_number_of_subnets_keeps_the_baseline_and_the_way_back_is_free(repo):
    before = repo.git("rev-parse", "HEAD:dvc.lock")
    repo.set_params(n_subnets=3)
    assert repo.repro() == AFTER_N_SUBNETS
    repo.set_params(n_subnets=4)
    assert repo.repro() == set()
    assert repo.git("hash-object", "dvc.lock") == before


def test_nothing_to_compare_and_no_detection(repo):
    repo.set_params(compare={}, networks=["baseline", "w0"], detection={}, detection_networks=[])
    repo.run("python", "-m", "tools.prune")
    assert repo.repro() == {"report"}
    left = {path.name for path in (repo.root / "artifacts").rglob("*") if path.is_file()}
    assert left and not any("moco" in name or "demo" in name for name in left)


def test_a_removed_task_leaves_nothing_behind(repo, tmp_path):
    repo.set_params(tasks={"shapes": repo.params["tasks"]["shapes"]})
    assert "route@flowers" in repo.run("python", "-m", "tools.prune")
    assert repo.repro() == {"report"}
    assert "flowers" not in (repo.root / "dvc.lock").read_text()
    assert [path for path in (repo.root / "artifacts").rglob("*flowers*")] == []
    assert [path for path in (repo.root / "artifacts").rglob("*shapes*")] != []
    repo.commit()
    repo.dvc("remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    repo.dvc("push")
    clone = repo.clone(tmp_path / "clone")
    clone.dvc("remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    clone.dvc("pull")
    assert "up to date" in clone.dvc("status")


def test_a_removed_task_comes_back_without_work(repo):
    tasks = repo.params["tasks"]
    repo.set_params(tasks={"shapes": tasks["shapes"]})
    repo.run("python", "-m", "tools.prune")
    repo.repro()
    repo.set_params(tasks=tasks)
    assert repo.repro() == {"manifest@flowers"}  # its files may be others by now
    committed = yaml.safe_load(repo.git("show", "HEAD:dvc.lock"))
    assert yaml.safe_load((repo.root / "dvc.lock").read_text()) == committed


def test_a_parameter_that_is_not_declared_cannot_be_read(repo):
    (repo.root / "stages/extract.py").write_text(
        "from sdr.base.errors import program\nfrom sdr.base.params import load\n"
        "@program\ndef main():\n    load(n_subnets=int)\nmain()\n"
    )
    output = repo.dvc("repro", "--single-item", "extract", ok=False)
    assert "dvc.yaml: stage extract reads the parameter `n_subnets` and does not declare it" in output
    assert "Traceback" not in output


def test_a_launcher_does_not_count_as_a_change(repo):
    launcher = {"SDR_LAUNCH": "env LAUNCHED=twice"}
    assert "up to date" in repo.dvc("status", **launcher)
    output = repo.dvc("repro", "--force", "--single-item", "pretrain", "train_sdr", **launcher)
    assert "pretrain launched twice" in output and "train_sdr launched twice" in output
    assert repo.git("status", "--porcelain") == ""


def test_a_change_of_the_report_makes_the_report_again_alone(ask, rehearsed):
    assert ask(touched(rehearsed, "sdr/report/page.py")).runs() == {"report"}


def test_a_change_of_a_detector_trains_no_network_again(ask, rehearsed):
    of_detection = {f"{stage}@demo" for stage in ("manifest_detection", "prepare_detection", "route_detection")}
    changed = ask(touched(rehearsed, "sdr/detect/detector.py")).runs()
    assert FINETUNED <= changed <= of_detection | FINETUNED | {"report"}


def test_a_new_reader_trains_nothing_again(ask, rehearsed):
    """What reads the corpus does run again where the pictures did change: the stages after `prepare` hang on its outputs alone."""
    changed = ask(touched(rehearsed, "sdr/sources/__init__.py")).own
    assert "prepare" in changed
    assert not changed & {"pretrain", "train_sdr", "route@shapes", "evaluate@shapes-baseline"}


def touched(repo, file: str) -> dict[str, str]:
    return {file: (repo.root / file).read_text() + "# changed\n"}
