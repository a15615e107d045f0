"""The stages that choose a network for a task and evaluate it: whichever it is, it lies in one place, and that one is evaluated."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from sdr.base.progress import Progress
from sdr.corpus.records import write_records
from sdr.corpus.store import FILE
from sdr.corpus.thumbnail import FILE as THUMBNAILS
from sdr.corpus.thumbnail import to_bytes
from sdr.nets.folder import load_backbone
from sdr.route.bundle import open_bundle
from sdr.route.candidates import Choice, backbone_of
from sdr.route.result import members
from stages import evaluate, evaluate_routed, route
from tests.evaluate.tasks import write_task
from tests.route.toys import CPU, make_bundle
from tests.stages.program import run

PARAMS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
ROUTE = PARAMS["route"] | {"candidates": ["subnets", "baseline"]}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A super-net of two sub-nets and a task of coloured noise, one of whose pictures the corpus has."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    make_bundle(tmp_path / "artifacts", 2, "cluster")
    task = write_task(tmp_path / "artifacts/tasks/colours", size=16)
    looks = np.stack([to_bytes(look) for look in np.random.default_rng(0).normal(size=(45, 256))])
    looks.tofile(task / THUMBNAILS)
    (tmp_path / "artifacts/data").mkdir()
    write_records(tmp_path / "artifacts/data" / FILE, {"origin": "string"}, [("album/x.png",)])
    looks[32:33].tofile(tmp_path / "artifacts/data" / THUMBNAILS)
    return tmp_path


def routed(workplace, monkeypatch, selection: dict, kinds: list[str]) -> dict:
    """Route and evaluate the task; return route.json."""
    params = {name: PARAMS[name] for name in ("knn", "linear")} | {
        "seed": 0,
        "processes": 1,
        "embed": {"side": 16, "batch_size": 16},
        "route": ROUTE | {"candidates": kinds, "selection": ROUTE["selection"] | selection},
        "tasks": {"colours": {"source": "builtin", "metric": "top1"}},
        "networks": ["baseline"],
    }
    params["linear"] |= {"penalties": 3}
    (workplace / "params.yaml").write_text(yaml.safe_dump(params))
    run(route, monkeypatch, "colours")
    run(evaluate_routed, monkeypatch, "colours")
    return json.loads((workplace / "artifacts/route/colours/route.json").read_text())


def evaluation(workplace, network: str) -> dict:
    return json.loads((workplace / f"artifacts/eval/{network}/colours.json").read_text())


@pytest.mark.parametrize(
    ("selection", "kinds", "network"),
    [
        ({"rule": "margin", "margin": 100.0}, ["subnets"], "baseline"),  # no lead is so many standard errors
        ({"rule": "best"}, ["subnets"], "subnet"),
        ({"rule": "best"}, ["w0"], "w0"),
    ],
)
def test_the_chosen_network_lies_in_one_place_and_is_evaluated(workplace, monkeypatch, selection, kinds, network):
    found = routed(workplace, monkeypatch, selection, kinds)
    choice = found["choice"]
    assert choice["network"] == network
    place, x = workplace / "artifacts/route/colours/backbone", torch.randn(3, 3, 16, 16)
    bundle = open_bundle(workplace / "artifacts", CPU)
    with torch.inference_mode():
        own = backbone_of(Choice(choice["kind"], choice["number"]), bundle.trained, bundle.baseline)(x)
        torch.testing.assert_close(load_backbone(place, CPU)(x), own, rtol=1e-4, atol=1e-5)
    assert choice["statistics"] in (place / "README.md").read_text()
    advised = found["recommended"]
    expected = {"take it": network, "try the super-net": "w0"}.get(found["verdict"], "baseline")
    assert advised["network"] == expected
    with torch.inference_mode():
        own = backbone_of(Choice(advised["kind"], advised["number"]), bundle.trained, bundle.baseline)(x)
        torch.testing.assert_close(load_backbone(place.parent / "recommended", CPU)(x), own, rtol=1e-4, atol=1e-5)
    if network == "baseline":
        run(evaluate, monkeypatch, "colours", "baseline")
        routed_scores, plain = evaluation(workplace, "sdr"), evaluation(workplace, "baseline")
        assert routed_scores["networks"]["sdr"] == plain["networks"]["baseline"]


@pytest.mark.parametrize(
    "choice", [Choice("baseline"), Choice("subnets", 3), Choice("subnets", 5), Choice("subnets_all", 3)]
)
@pytest.mark.parametrize("best", [[3], [3, 5], [3, 5, 0]])
def test_the_choice_comes_first_and_each_once(choice, best):
    found = members(choice, best)
    assert found[0] == choice and len(set(found)) == len(found) == len(best)
    assert [other.number for other in found[1:]] == [i for i in best if Choice("subnets", i) != choice][: len(best) - 1]


def test_pictures_that_the_corpus_has_are_named(workplace, monkeypatch, capsys):
    found = routed(workplace, monkeypatch, {}, ["baseline"])
    assert found["in_corpus"] == {"train": 0, "test": 1}
    assert found["in_corpus_examples"] == {"test": [["album/x.png", "test2"]]}
    assert "warning: colours: 1 pictures of test look like one of the corpus" in capsys.readouterr().out


def test_of_pictures_that_look_alike_one_counts(workplace, monkeypatch, capsys):
    task = workplace / "artifacts/tasks/colours"
    alone = routed(workplace, monkeypatch, {}, ["subnets"])
    assert alone["images"] == 30 and "left_out" not in alone
    looks = np.fromfile(task / THUMBNAILS, dtype=np.int8).reshape(-1, 256)
    looks[3:9:3] = looks[0]  # of one label
    looks.tofile(task / THUMBNAILS)
    found = routed(workplace, monkeypatch, {}, ["subnets"])
    assert (found["images"], found["left_out"]) == (28, 2)
    assert "2 pictures of train look like another one of their labels, and did not count" in capsys.readouterr().out


def test_kept_scores_are_of_the_pictures_content(workplace, monkeypatch):
    """An interrupted search goes on, but not with the scores of other pixels under the same names."""
    asked = []
    get = Progress.get
    monkeypatch.setattr(Progress, "get", lambda self, part: asked.append(found := get(self, part)) or found)

    def stop(*_) -> None:
        raise InterruptedError

    def interrupted() -> None:
        """Ends after the search, before anything is written."""
        with monkeypatch.context() as patch, pytest.raises(InterruptedError):
            patch.setattr(route, "write_result", stop)
            routed(workplace, monkeypatch, {}, ["subnets"])

    interrupted()
    assert not any(asked)
    interrupted()
    assert any(asked)  # it went on
    pixels = workplace / "artifacts/tasks/colours/train.npy"
    np.save(pixels, np.ascontiguousarray(np.load(pixels)[:, :, ::-1] // 2))
    asked.clear()
    other = routed(workplace, monkeypatch, {}, ["subnets"])
    assert not any(asked)
    assert routed(workplace, monkeypatch, {}, ["subnets"]) == other
