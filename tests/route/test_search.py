"""The searches against the exhaustive one, on a super-net whose sub-nets really differ."""

import copy

import numpy as np
import pytest

from sdr.base.progress import Progress
from sdr.evaluate.knn import Knn
from sdr.nets.embed import embed
from sdr.route.prior import Clusters
from sdr.route.race import Halving
from sdr.route.score import Score
from sdr.route.search import Search, search
from tests.route.toys import CHOICE, CPU, SHOW, make_trained, striped_task

KNN = Knn(k=5, temperature=0.07)
TASK = striped_task()
HALVING = Halving(per_class=4, least=12, growth=2, keep=0.5)
CLUSTERS = Clusters(np.zeros(16, np.float32), np.eye(16, dtype=np.float32))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return {source: make_trained(tmp_path_factory.mktemp(source), 16, source) for source in ("common", "cluster")}


def run(trained, source="common", progress=None, **changes):
    params = Search(
        **{"method": "exhaustive", "score": "knn", "prior": 1.0, "top_m": 1, "halving": HALVING} | CHOICE | changes
    )
    baseline = copy.deepcopy(trained["cluster"].subnet(7))  # any backbone of 16 features
    progress = progress or Progress("")
    return search(trained[source], baseline, TASK, params, KNN, SHOW, CLUSTERS, 0, CPU, progress)


def exact(trained, name="knn", source="common"):
    score = Score(name, "top1", 3, KNN)
    return [score(embed(trained[source].subnet(i), TASK.images, SHOW, CPU), TASK.targets) for i in range(16)]


@pytest.mark.parametrize("name", ["knn", "logme", "hscore"])
def test_exhaustive_scores_every_sub_net_on_every_image(trained, name):
    found, expected = run(trained, score=name), exact(trained, name)
    assert [c.subnet for c in found.candidates] == sorted(range(16), key=lambda i: (-expected[i], i))
    assert [c.score for c in found.candidates] == pytest.approx(sorted(expected, reverse=True), rel=1e-6)
    assert found.macs == found.exhaustive and found.forwards == 16 * 60
    assert {c.images for c in found.candidates} == {60} and max(expected) > min(expected)


def test_tree_is_exhaustive_for_less(trained):
    tree, reference = run(trained, method="tree"), run(trained)
    assert [(c.subnet, c.score) for c in tree.candidates] == [(c.subnet, c.score) for c in reference.candidates]
    assert tree.exhaustive == reference.macs and tree.macs < 0.6 * reference.macs
    assert (tree.supernet, tree.baseline) == (reference.supernet, reference.baseline)


@pytest.mark.parametrize("source", ["common", "cluster"])
def test_halving_tries_all_and_follows_the_best(trained, source):
    found, expected = run(trained, source, method="halving"), exact(trained, source=source)
    assert sorted(c.subnet for c in found.candidates) == list(range(16))
    images = [c.images for c in found.candidates]
    assert images == sorted(images, reverse=True) and images[-1] == 12
    assert found.macs < 0.75 * found.exhaustive
    if images[0] == 60:  # the decision was taken on all images: those who got there have their exact scores
        for candidate in found.candidates:
            if candidate.images == 60:
                assert candidate.score == pytest.approx(expected[candidate.subnet], abs=1e-9)
    assert max(expected) - expected[found.winner.subnet] < np.ptp(expected) / 2


def test_the_prior_says_who_is_tried(trained):
    found = run(trained, prior=0.25)
    tried = [c.subnet for c in found.candidates]
    assert found.prior.sum() == pytest.approx(1) and len(tried) == 4
    assert found.prior[tried].min() >= np.delete(found.prior, tried).max()
    assert found.macs == found.exhaustive // 4 + found.exhaustive // 16  # a look at all 60 images by the baseline


@pytest.mark.parametrize("method", ["exhaustive", "tree", "halving"])
@pytest.mark.parametrize("stop", [1, 2])
def test_interrupted_it_goes_on_to_the_same_result(trained, method, stop, tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))
    whole = run(trained, method=method)

    class Stop(Exception):
        pass

    class Interrupted(Progress):
        calls = 0

        def put(self, part, found):
            super().put(part, found)
            self.calls += 1
            if self.calls == stop:
                raise Stop

    with pytest.raises(Stop):
        run(trained, method=method, progress=Interrupted("x"))
    kept = Progress("x")
    assert run(trained, method=method, progress=kept).candidates == whole.candidates
    kept.remove()
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


def test_unreadable_progress_starts_anew(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))
    (tmp_path / "searches/x").mkdir(parents=True)
    (tmp_path / "searches/x/progress.json").write_text("{")
    assert run(trained, progress=Progress("x")).candidates == run(trained).candidates
    assert "not readable; the search starts anew" in capsys.readouterr().out
