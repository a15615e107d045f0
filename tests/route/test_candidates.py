"""What routing chooses among, on a super-net whose calibration holds all statistics."""

import argparse
import copy

import numpy as np
import pytest
import torch

from sdr.base.errors import UserError
from sdr.base.progress import Progress
from sdr.cli import route
from sdr.nets.calibrate import calibrate, sample, statistics
from sdr.nets.embed import embed, evaluation_view
from sdr.route.candidates import KINDS, Choice, backbone_of, candidates
from sdr.route.choose import NO_EVIDENCE, TAKE_IT
from sdr.route.prior import Clusters
from sdr.route.search import Search, search
from tests.route.test_search import KNN, TASK
from tests.route.toys import CHOICE, CPU, SHOW, make_trained

CLUSTERS = Clusters(np.zeros(16, np.float32), np.eye(16, dtype=np.float32)[:4])


@pytest.fixture
def trained(tmp_path):
    found = make_trained(tmp_path, 4, "cluster")
    vectors = found._statistics["subnets"]
    found._statistics |= {"subnets_all": vectors.flip(0).clone(), "baseline_clusters": vectors + 0.5}
    return found


def baseline_of(trained):
    return copy.deepcopy(trained.subnet(2))


def test_each_has_its_network_and_statistics(trained):
    baseline = baseline_of(trained)
    trained._statistics["baseline"] = statistics(baseline).clone()
    kinds = ["baseline", "w0", "subnets", "baseline_clusters", "subnets_all"]
    found = candidates(kinds, range(4), trained)
    assert found[:4] == [Choice("subnets", i) for i in range(4)] and len(found) == len(set(found)) == 14
    for choice in found:
        backbone, of = backbone_of(choice, trained, baseline), trained._statistics
        if choice.kind == "w0":
            assert backbone is trained.supernet()
            continue
        rows = of["baseline"] if choice.kind == "baseline" else of[choice.kind][choice.number]
        assert torch.equal(statistics(backbone), rows) and (backbone is baseline) == (choice.network == "baseline")
    assert Choice("subnets_all", 3).facts(trained)["name"] == "sub-net 3 (0-0-1-1), statistics of all images"
    assert Choice("subnets", 3).facts(trained)["path"] == "0-0-1-1"
    assert Choice("baseline_clusters", 1).facts(trained) | {"kind": 0} == {
        "name": "baseline, statistics of cluster 1",
        "network": "baseline",
        "subnet": None,
        "path": None,
        "statistics": "cluster 1",
        "kind": 0,
        "number": 1,
    }


def run(trained, **changes):
    params = {"method": "exhaustive", "score": "knn", "prior": 1.0, "top_m": 1, "halving": None} | CHOICE | changes
    return search(
        trained,
        baseline_of(trained),
        TASK,
        Search.model_construct(**params),
        KNN,
        SHOW,
        CLUSTERS,
        0,
        CPU,
        Progress(""),
    )


def test_by_default_the_choice_is_the_winner_of_the_ranking(trained):
    found = run(trained)
    assert found.decision.choice == Choice("subnets", found.winner.subnet)
    assert found.decision.verdict in (TAKE_IT, NO_EVIDENCE)
    assert {row["kind"] for row in found.decision.judged} == {"subnets", "baseline", "w0"}
    by = {row["number"]: row["knn"] for row in found.decision.judged if row["kind"] == "subnets"}
    assert by == {c.subnet: pytest.approx(c.score, abs=1e-4) for c in found.candidates}


def test_statistics_of_the_tasks_own_images(trained):
    """Against a calibration by hand; the export that follows a search measures them again to the same bits."""
    baseline = baseline_of(trained)
    trained._statistics["baseline"] = statistics(baseline).clone()
    found = candidates(["baseline_own", "subnets_own"], range(4), trained)
    assert found == [*(Choice("subnets_own", i) for i in range(4)), Choice("baseline_own")]
    with pytest.raises(ValueError, match="no task to measure them on"):
        backbone_of(found[0], trained, baseline)
    ranking = run(trained, candidates=["subnets_own", "baseline_own"])
    assert {row["kind"] for row in ranking.decision.judged} == {"subnets_own", "baseline_own", "baseline", "w0"}
    x = evaluation_view(TASK.images[sample(np.arange(len(TASK.images)), 24, 0)], SHOW.side, CPU)
    for choice in found:
        expected = copy.deepcopy(baseline if choice.network == "baseline" else trained.subnet(choice.number))
        calibrate(expected, x)
        backbone = backbone_of(choice, trained, baseline)
        assert torch.equal(statistics(backbone), statistics(expected))
    assert torch.equal(statistics(backbone_of(Choice("baseline"), trained, baseline)), trained.of("baseline"))
    assert Choice("subnets_own", 3).facts(trained)["name"] == "sub-net 3 (0-0-1-1), statistics of the task's images"
    assert Choice("baseline_own").facts(trained)["statistics"] == "the task's images"


def test_with_a_margin_that_nobody_has_it_is_the_baseline(trained):
    chosen = CHOICE["selection"].model_copy(update={"rule": "margin", "margin": 50.0})
    found = run(trained, selection=chosen, candidates=["subnets", "subnets_all", "baseline"])
    assert found.decision.choice == Choice("baseline") and found.decision.gain.mean == 0
    assert found.decision.verdict == NO_EVIDENCE


def test_the_best_of_all_kinds_is_found(trained):
    found = run(trained, candidates=["subnets", "subnets_all", "baseline_clusters", "baseline", "w0"])
    lead = {(row["kind"], row["number"]): row["knn"] for row in found.decision.judged}
    choice = found.decision.choice
    assert lead[choice.kind, choice.number] == max(lead.values()) and len(lead) == 14
    x = embed(backbone_of(choice, trained, baseline_of(trained)), TASK.images, SHOW, CPU)
    assert np.isfinite(x).all()


def test_what_was_not_trained_or_measured_is_told(trained):
    trained.config["w0_trained"] = False
    with pytest.raises(UserError, match="route.candidates: w0: .* never trained"):
        run(trained, candidates=["subnets", "w0"])
    assert Choice("w0").kind not in {row["kind"] for row in run(trained).decision.judged}
    del trained._statistics["subnets_all"]
    with pytest.raises(UserError, match="no statistics `subnets_all`: run `dvc repro calibrate`"):
        run(trained, candidates=["subnets_all"])


@pytest.mark.parametrize("kind", ["subnets_all", "baseline_clusters"])
def test_statistics_that_an_older_calibration_lacks_are_told_before_anything_is_computed(trained, kind):
    del trained._statistics[kind]
    with pytest.raises(UserError, match=f"no statistics `{kind}`: .*take it from the candidates"):
        candidates(["subnets", kind], (), trained)


def test_every_kind_that_the_command_line_names_is_one():
    parser = argparse.ArgumentParser()
    route.add(parser.add_subparsers())
    (command,) = parser._subparsers._group_actions[0].choices.values()
    assert tuple(next(a.choices for a in command._actions if a.dest == "candidates")) == KINDS
