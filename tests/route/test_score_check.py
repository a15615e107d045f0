"""Rank correlation and regret by hand, and the whole check on a small super-net."""

import json

import numpy as np
import pytest

from sdr.evaluate.evaluate_task import Protocol, evaluate_task
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.route.bundle import open_bundle
from sdr.route.score_check import SCORES, check_scores, judge
from sdr.tasks.task import Task
from tests.route.toys import CPU, make_bundle, striped_task

PROTOCOL = Protocol(
    embed=Embedding(side=16, batch_size=16),
    knn=Knn(k=5, temperature=0.07),
    seed=0,
    linear=Linear(penalties=3, log10_min=-2, log10_max=2, tolerance=1e-6, max_iterations=50, val_fraction=0.2),
)


def test_by_hand():
    linear = [50.0, 60.0, 40.0, 70.0]
    found = judge(
        {"knn": [2.0, 3.0, 1.0, 4.0], "logme": [-2.0, -3.0, -1.0, -4.0], "hscore": [1.0] * 4, "linear": linear}
    )
    assert found["scores"]["knn"] == {"tau": pytest.approx(1), "regret": 0}
    assert found["scores"]["logme"] == {"tau": pytest.approx(-1), "regret": 30}
    assert found["scores"]["hscore"] == {"tau": None, "regret": 20}  # all alike: the first is taken
    assert found["chance"] == 15


def test_agreement_about_the_best_counts_most():
    linear = np.arange(10.0)
    top, bottom = linear.copy(), linear.copy()
    top[[9, 8]], bottom[[0, 1]] = top[[8, 9]], bottom[[1, 0]]
    taus = [judge({name: s.tolist() for name in SCORES} | {"linear": linear.tolist()}) for s in (top, bottom)]
    assert taus[0]["scores"]["knn"]["tau"] < taus[1]["scores"]["knn"]["tau"] < 1


@pytest.fixture
def task(tmp_path):
    """A prepared task of stripes."""
    labelled, folder = striped_task(60), tmp_path / "stripes"
    folder.mkdir()
    names, rows = ["a", "b", "c"], ["split,index,label,origin"]
    for split, part in (("train", slice(0, 36)), ("test", slice(36, 60))):
        np.save(folder / f"{split}.npy", labelled.images[part])
        rows += [f"{split},{i},{names[y]},{split}/{i}" for i, y in enumerate(labelled.targets[part])]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    meta = {"task": "stripes", "metric": "top1", "classes": names, "multilabel": False, "n_val": 0}
    (folder / "meta.json").write_text(json.dumps(meta))
    return Task.open(folder)


def test_every_sub_net_is_scored_and_evaluated(tmp_path, task):
    bundle = open_bundle(make_bundle(tmp_path / "net", 3, "cluster"), CPU)
    found = check_scores(bundle, task, PROTOCOL, CPU)
    assert {len(values) for values in found["subnets"].values()} == {3}
    for i in range(3):
        expected = evaluate_task("x", bundle.trained.subnet(i), task, PROTOCOL, CPU)["linear"]
        assert found["subnets"]["linear"][i] == pytest.approx(expected)
    assert found["chance"] >= 0 and set(found["scores"]) == set(SCORES)
