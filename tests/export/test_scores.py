"""Which test scores come into a model card: those of these weights."""

import json

import pytest

from sdr.base.outputs import sha256
from sdr.export.scores import evaluated_scores
from sdr.export.write import write_backbone
from sdr.route.bundle import open_bundle
from tests.route.toys import CPU, make_bundle


def result(linear: float) -> dict:
    return {"linear": linear, "linear_interval": [linear - 2, linear + 1], "knn": linear - 5}


@pytest.fixture
def bundle(tmp_path):
    """A super-net with evaluations of its networks on two tasks, each routed to another sub-net."""
    bundle = open_bundle(make_bundle(tmp_path / "net", 4, "cluster"), CPU)
    for task, subnet in (("birds", 2), ("cars", 1)):
        for name, network, linear in (("sdr", subnet, 70.0), ("w0", "w0", 60.0), ("baseline", "baseline", 65.0)):
            file = bundle.root / "eval" / name / f"{task}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            found = {
                "weights": weights(bundle, network, tmp_path / f"{name}-{task}"),
                "networks": {name: result(linear)},
            }
            file.write_text(json.dumps({"metric": "mean_per_class"} | found))
    return bundle


def weights(bundle, network, out) -> str:
    """The hash of a network's exported weights."""
    out.mkdir()
    write_backbone(out, bundle, network, "a network")
    return sha256(out / "model.safetensors")


def scores_of(bundle, network, tmp_path):
    return evaluated_scores(bundle.root, network, weights(bundle, network, tmp_path / "again"))


def test_a_sub_net_has_those_of_its_own_task(bundle, tmp_path):
    assert scores_of(bundle, 2, tmp_path) == (
        ("birds", "linear, mean per class", 70.0, (68.0, 71.0)),
        ("birds", "kNN, mean per class", 65.0, None),
    )


@pytest.mark.parametrize(("network", "linear"), [("w0", [60.0, 55.0] * 2), ("baseline", [65.0, 60.0] * 2), (0, [])])
def test_each_network_has_its_own(bundle, tmp_path, network, linear):
    assert [score.value for score in scores_of(bundle, network, tmp_path)] == linear


@pytest.mark.parametrize("spoil", ["other weights", "no weights", "torn"])
def test_what_was_measured_on_other_weights_is_left_out(bundle, tmp_path, spoil):
    file = bundle.root / "eval/sdr/birds.json"
    evaluation = json.loads(file.read_text())
    if spoil == "other weights":
        evaluation["weights"] = "0" * 64
    elif spoil == "no weights":
        del evaluation["weights"]
    file.write_text(json.dumps(evaluation)[: 40 if spoil == "torn" else None])
    assert scores_of(bundle, 2, tmp_path) == ()


def test_they_stand_in_the_card(bundle, tmp_path):
    (tmp_path / "out").mkdir()
    write_backbone(tmp_path / "out", bundle, 2, "sub-net 2", scored=True)
    assert "| birds | linear, mean per class | 70.0 | 68.0 to 71.0 |" in (tmp_path / "out/README.md").read_text()
