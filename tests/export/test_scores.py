"""Which test scores come into a model card: those of these weights, and of a sub-net only where it was chosen."""

import json

import pytest

from sdr.export.scores import evaluated_scores as scores_of
from sdr.export.write import write_backbone
from sdr.route.bundle import open_bundle
from tests.route.toys import CPU, make_bundle


def result(linear: float) -> dict:
    return {"linear": linear, "linear_interval": [linear - 2, linear + 1], "knn": linear - 5}


@pytest.fixture
def bundle(tmp_path):
    bundle = open_bundle(make_bundle(tmp_path / "net", 4, "cluster"), CPU)
    files = bundle.seal["files"]
    own = {name: files[name] for name in ("sdrnet/model.safetensors", "calibration/bn.safetensors")}
    for task, subnet in (("birds", 2), ("cars", 1)):
        for kind, weights, networks in (
            ("sdr", own, {"w0": result(60.0), "sdr": result(70.0)}),
            (
                "baseline",
                {"baseline/model.safetensors": files["baseline/model.safetensors"]},
                {"baseline": result(65.0)},
            ),
        ):
            file = bundle.root / "eval" / kind / f"{task}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"metric": "mean_per_class", "weights": weights, "networks": networks}))
        (bundle.root / "route" / task).mkdir(parents=True)
        (bundle.root / "route" / task / "route.json").write_text(json.dumps({"subnet": subnet}))
    return bundle


def test_each_network_has_its_own(bundle):
    assert scores_of(bundle, 2) == (
        ("birds", "linear, mean per class", 70.0, (68.0, 71.0)),
        ("birds", "kNN, mean per class", 65.0, None),
    )
    assert scores_of(bundle, 0) == ()
    assert [s.value for s in scores_of(bundle, "w0")] == [60.0, 55.0] * 2
    assert [s.value for s in scores_of(bundle, "baseline")] == [65.0, 60.0] * 2


@pytest.mark.parametrize("spoil", ["other weights", "no weights", "torn"])
def test_what_was_measured_on_other_weights_is_left_out(bundle, spoil):
    file = bundle.root / "eval/sdr/birds.json"
    evaluation = json.loads(file.read_text())
    if spoil == "other weights":
        evaluation["weights"]["calibration/bn.safetensors"] = "0" * 64
    elif spoil == "no weights":
        del evaluation["weights"]
    file.write_text(json.dumps(evaluation)[: 40 if spoil == "torn" else None])
    assert scores_of(bundle, 2) == () and len(scores_of(bundle, "w0")) == 2


def test_they_stand_in_the_card(bundle, tmp_path):
    (tmp_path / "out").mkdir()
    write_backbone(tmp_path / "out", bundle, 2, "sub-net 2", scores=scores_of(bundle, 2))
    assert "| birds | linear, mean per class | 70.0 | 68.0 to 71.0 |" in (tmp_path / "out/README.md").read_text()
