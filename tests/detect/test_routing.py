"""Routing for detection: candidates, the race among them on real short fine-tunes, and what it never looks at."""

import copy
import dataclasses
import json
import math
import re

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.base.progress import Progress
from sdr.detect import routing as detection
from sdr.detect.finetune import FineTuning, detect
from sdr.detect.params import Routing
from sdr.detect.proxy import Proxy
from sdr.detect.routing import candidates, search, spearman
from sdr.detect.voc_ap import Detections, DivergedError, evaluate
from sdr.evaluate.knn import Knn
from tests.detect.toys import Rectangles, backbone, detector

CPU = torch.device("cpu")
KNN = Knn(k=3, temperature=0.07)
ROUTING = dict(proxy_images=6, proxy_side=48, keep=3, explore=1, rungs=[1, 2, 4], survivors=[3, 2], val_images=4)
SMALL = {"batch": 2, "train_sizes": [48], "warmup": 0, "lr": 1e-3}


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))


class Toys(Rectangles):
    """Ten training pictures and eight others; nobody may ask for those of test."""

    def __init__(self):
        super().__init__(18)

    def annotations(self, split):
        return {"train": self.all[:10], "val": self.all[10:]}[split]


class Template:
    """As `TrainedSdr.subnet`: each sub-net overwrites the one before."""

    def __init__(self, n: int):
        self.states = [backbone(seed=i).state_dict() for i in range(n)]
        self.template = backbone()

    def __call__(self, number: int):
        self.template.load_state_dict(self.states[number])
        return self.template


def run(subnets=None, data=None, name="toys", seed=0, **changes):
    routing = Routing(**(ROUTING | {k: changes.pop(k) for k in list(changes) if k in ROUTING}))
    subnets = subnets or Template(6)
    params = detector(**(SMALL | changes), routing=routing)
    progress = Progress(name)
    found = search(subnets, len(subnets.states), data or Toys(), params, KNN, seed, CPU, progress)
    progress.remove()
    return found


# ------------------------------------------------------------------ listings


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20))
def test_spearman_equals_scipy(pairs):
    a, b = (np.array(column, dtype=float) for column in zip(*pairs))
    value = spearman(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert value is None
    else:
        assert value == pytest.approx(scipy.stats.spearmanr(a, b).statistic, abs=1e-12)


def test_spearman_of_nothing_and_of_one():
    assert spearman(np.array([]), np.array([])) is None and spearman(np.ones(1), np.ones(1)) is None


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10), st.integers(0, 99))
def test_candidates_are_the_best_and_some_others(n, keep, explore, seed):
    proxy = np.random.default_rng(seed).integers(0, 5, n).astype(float)
    chosen = candidates(proxy, keep, explore, seed)
    assert len(chosen) == len(set(chosen)) == min(n, keep + explore)
    best = sorted(range(n), key=lambda i: (-proxy[i], i))
    assert chosen[:keep] == best[:keep]
    assert chosen == sorted(chosen, key=lambda i: (-proxy[i], i))
    assert chosen == candidates(proxy, keep, explore, seed)


def test_the_explored_depend_on_the_seed():
    proxy = np.arange(50.0)
    drawn = [tuple(candidates(proxy, 5, 5, seed)[5:]) for seed in range(8)]
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rungs": [2, 2, 4]}, "must increase"),
        ({"rungs": [4, 2, 8]}, "must increase"),
        ({"survivors": [3]}, "one number fewer"),
        ({"survivors": [2, 3]}, "must not increase"),
        ({"keep": 0}, "greater than 0"),
    ],
)
def test_bad_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        Routing(**(ROUTING | change))


# ------------------------------------------------------------------ real fine-tunes


def sensitive(truth, found, n_classes):
    """After so few iterations all APs are 0, so that any exchange of networks would pass: the mean score instead."""
    assert evaluate(truth, found, n_classes)["ap_present"] >= 0
    return {"ap_present": float(np.mean([image.scores.sum() for image in found]))}


def test_the_race_is_that_of_single_fine_tunes(monkeypatch):
    """Each AP is what that sub-net alone reaches, trained from scratch in one go; the better ones go on."""
    data, truth, trained = Toys(), Toys().annotations("val")[::2], {}
    monkeypatch.setattr(detection, "measure", lambda rules, *rest: sensitive(*rest))
    found = run(data=data)
    params = detector(**SMALL, routing=Routing(**ROUTING))
    assert [rung.budget for rung in found.halving.rungs] == [1, 2, 4]
    assert set(found.halving.rungs[0].scores) == set(found.candidates)
    for rung in found.halving.rungs:
        for arm, ap in rung.scores.items():
            if arm not in trained:
                trained[arm] = FineTuning(backbone(seed=arm), data, "train", params, 0, CPU, decay=False)
            trained[arm].advance(rung.budget)
            boxes = detect(trained[arm].model, data, truth, params, CPU)
            assert ap == sensitive(truth, boxes, 3)["ap_present"] > 0
    scores = [score for rung in found.halving.rungs for score in rung.scores.values()]
    assert len(set(scores)) == len(scores) == 4 + 3 + 2
    last = found.halving.rungs[-1].scores
    assert last[found.winner] == max(last.values())
    assert found.halving.iterations == 4 * 1 + 3 * 1 + 2 * 2


def test_interrupted_it_goes_on_to_the_same_result(monkeypatch):
    monkeypatch.setattr(detection, "measure", lambda rules, *rest: sensitive(*rest))
    expected, spent, stop = run(name="whole"), [], math.inf
    step = FineTuning._step

    def fused(self, t, *args):
        if len(spent) == stop:
            raise KeyboardInterrupt
        spent.append(t)
        return step(self, t, *args)

    monkeypatch.setattr(FineTuning, "_step", fused)
    for fuse in (3, 6, 10):  # in each rung; the last in its second iteration of an arm
        stop = fuse
        with pytest.raises(KeyboardInterrupt):
            run(name="listing")
    stop = math.inf
    again = run(name="listing")
    assert again.halving == expected.halving and np.array_equal(again.proxy, expected.proxy)
    # Within a minute only the rungs are saved, so the iteration before the last interruption comes twice.
    assert len(spent) == expected.halving.iterations + 1


def test_interrupted_in_the_proxy_it_goes_on_from_there(stand_in, monkeypatch):
    subnets = graded([0.1, 0.4, 0.2, 0.3])
    expected, scored, score = run(subnets, name="whole"), [], Proxy.score

    def fused(self, backbone):
        if len(scored) == 2:
            scored.append(None)
            raise KeyboardInterrupt
        scored.append(backbone.bn1.bias[0].item())
        return score(self, backbone)

    monkeypatch.setattr(Proxy, "score", fused)
    with pytest.raises(KeyboardInterrupt):
        run(subnets, name="listing")
    again = run(subnets, name="listing")
    assert again.halving == expected.halving and np.array_equal(again.proxy, expected.proxy)
    assert scored == pytest.approx([0.1, 0.4, None, 0.2, 0.3])


# ------------------------------------------------------------------ the rules, with a stand-in for training


class StandIn:
    """Reaches an AP of 10 · (bias of its backbone's first batch norm) + iteration; a bias below 0 diverges."""

    made: list["StandIn"] = []

    def __init__(self, backbone, data, split, params, seed, device, decay, name):
        assert split == "train" and not decay
        self.value = backbone.bn1.bias[0].item()
        self.name, self.iteration, self.annotations = name, 0, data.annotations(split)
        StandIn.made.append(self)

    def advance(self, until, save=None):
        if self.value < 0:
            raise DivergedError(f"{self.name}: the loss is not finite; lower `lr`")
        self.iteration = until

    def detect(self, truth):
        self.truth = truth
        return [Detections(np.zeros((0, 4)), np.full(1, self.value), np.zeros(0))] * len(truth)

    def state(self):
        return {"iteration": self.iteration}

    def restore(self, state):
        self.iteration = state["iteration"]


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(detection, "FineTuning", StandIn)
    monkeypatch.setattr(StandIn, "made", [])
    monkeypatch.setattr(
        detection, "measure", lambda rules, truth, found, n_classes: {"ap_present": 10 * float(found[0].scores[0])}
    )
    return StandIn


def graded(values) -> Template:
    subnets = Template(len(values))
    for state, value in zip(subnets.states, values):
        state["bn1.bias"] = torch.full_like(state["bn1.bias"], value)
    return subnets


def test_a_diverged_candidate_is_recorded_and_the_others_go_on(stand_in):
    values = [0.1, 0.3, -1.0, 0.2]
    found = run(graded(values), keep=4, explore=0)
    assert found.winner == 1
    rows = {row["subnet"]: row for row in found.rows(list("abcd"))}
    assert rows[2]["ap_1"] == "diverged" and rows[2]["ap_2"] == ""
    assert rows[2]["rank"] == 4
    assert [row["subnet"] for row in rows.values()] == [1, 3, 0, 2]
    assert rows[1] | {"proxy": 0} == {
        "rank": 1,
        "subnet": 1,
        "path": "b",
        "proxy": 0,
        "proxy_rank": rows[1]["proxy_rank"],
        "ap_1": 3.0,
        "ap_2": 3.0,
        "ap_4": 3.0,
    }
    compared = found.facts()["compared"]
    assert [row["candidates"] for row in compared] == [4, 3, 2]
    left = [0, 1, 3]
    expected = scipy.stats.spearmanr(found.proxy[left], [values[i] for i in left]).statistic
    assert compared[0]["spearman"] == pytest.approx(expected, abs=1e-4)


def test_when_all_diverge_at_every_rate_the_best_proxy_is_chosen_and_the_reason_told(stand_in):
    found = run(graded([-1.0, -2.0, -1.0, -1.0]))
    assert found.winner == found.candidates[0] and found.proxy[found.winner] == max(found.proxy[found.candidates])
    assert (facts := found.facts())["ap"] is None and facts["failed"] == found.failed
    assert re.match(
        r"every candidate .* iteration 1, at last at a learning rate of 0.00025; lower `lr` .* \(0.001\); sub-net \d",
        found.failed,
    )
    json.dumps([facts, found.rows(list("abcd"))], allow_nan=False)
    assert len(stand_in.made) == 3 * len(found.candidates)


def test_when_all_diverge_they_are_retried_at_a_lower_rate(stand_in, monkeypatch):
    make = StandIn.__init__

    def slower(self, backbone, data, split, params, *others, **more):
        make(self, backbone, data, split, params, *others, **more)
        self.value = self.value if params.lr < 0.001 else -1.0

    monkeypatch.setattr(StandIn, "__init__", slower)
    found = run(graded([0.1, 0.3, 0.2, 0.2]), keep=4, explore=0)
    assert found.winner == 1 and found.failed is None and found.facts()["ap"] == 3.0


def test_candidates_are_compared_on_evenly_spaced_pictures_of_val(stand_in):
    data = Toys()
    run(graded([0.1, 0.2]), data)
    val = data.annotations("val")
    for made in stand_in.made:
        assert made.annotations is not val and [a.id for a in made.truth] == [val[i].id for i in (0, 2, 4, 6)]


def test_fewer_sub_nets_than_candidates_all_compete(stand_in):
    found = run(graded([0.1, 0.2]), keep=5, explore=5)
    assert sorted(found.candidates) == [0, 1] and found.winner == 1
    assert found.facts()["iterations"] == 2 * 4 and found.facts()["exhaustive_iterations"] == 2 * 4


def test_one_sub_net_wins_without_an_iteration(stand_in):
    found = run(graded([0.1]))
    assert found.winner == 0 and stand_in.made == []
    assert found.facts()["ap"] is None and found.facts()["iterations"] == 0
    assert found.rows(["0-0-0-0"]) == [
        {
            "rank": 1,
            "subnet": 0,
            "path": "0-0-0-0",
            "proxy": round(found.proxy[0], 4),
            "proxy_rank": 1,
            "ap_1": "",
            "ap_2": "",
            "ap_4": "",
        }
    ]


def test_all_sub_nets_are_listed_and_the_facts_are_json(stand_in):
    found = run(graded([0.1, 0.4, 0.2, 0.3, 0.5, 0.6]))
    rows = found.rows(list("abcdef"))
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert sorted(row["subnet"] for row in rows) == list(range(6))
    assert sorted(row["proxy_rank"] for row in rows) == [1, 2, 3, 4, 5, 6]
    assert rows[0]["subnet"] == found.winner == max(found.candidates, key=lambda i: [0.1, 0.4, 0.2, 0.3, 0.5, 0.6][i])
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert facts["exhaustive_iterations"] == 6 * 4 and facts["iterations"] == 4 * 1 + 3 * 1 + 2 * 2
    assert facts["images_shown"] == {"proxy": 6 * 6, "comparison": 4 * (4 + 3 + 2)}


def test_the_test_split_is_never_asked_for():
    asked = []

    class Watched(Toys):
        def annotations(self, split):
            assert split != "test"
            asked.append(split)
            return super().annotations(split)

    run(data=Watched(), rungs=[1], survivors=[], keep=1, explore=1)
    assert set(asked) == {"train", "val"}


def test_no_box_to_compare_on(stand_in):
    data = Toys()
    for i in range(10, 18):
        data.all[i] = dataclasses.replace(data.all[i], difficult=np.ones(len(data.all[i].boxes), bool))
    with pytest.raises(UserError, match="split val"):
        run(data=data)


def test_a_sub_net_that_is_not_finite_is_named():
    subnets = Template(3)
    subnets.states[1]["layer2.0.conv1.weight"][0] = math.nan
    with pytest.raises(UserError, match="sub-net 1: .*NaN"):
        run(subnets)


def test_the_template_is_left_alone():
    """Fine-tuning works on a copy: a sub-net checked out again is what it was."""
    subnets = Template(2)
    before = copy.deepcopy(subnets.states)
    run(subnets, rungs=[1], survivors=[])
    for old, new in zip(before, subnets.states):
        assert all(torch.equal(old[k], new[k]) for k in old)
