"""The noise of routing's scores: its share in closed form, costs as an embedder counts them, and the program on toys."""

import csv
import json

import numpy as np
import pytest
from scipy.stats import ttest_rel

from sdr.base.params import load
from sdr.base.progress import Progress
from sdr.evaluate.knn import Knn
from sdr.experiments import routing_noise
from sdr.nets.embed import Embedding, evaluation_view
from sdr.route.bundle import open_bundle
from sdr.route.sample import balanced_order
from sdr.route.score import Score
from sdr.route.search import Labelled, Search, search
from sdr.route.segments import Segments
from sdr.route.tree import Embedder
from tests.route.toys import CPU, SHOW, make_bundle, pictures, striped_task

KNN = Knn(k=5, temperature=0.1)


def test_of_two_sub_nets_the_share_is_that_of_a_paired_t_test():
    random = np.random.default_rng(0)
    easy = random.normal(size=200)  # common to both: no noise
    hits = np.stack([easy + random.normal(0.1, 0.3, 200), easy + random.normal(0, 0.3, 200)])
    found = routing_noise.noise(hits)
    assert found["share"] == pytest.approx(1 / ttest_rel(*hits).statistic ** 2)
    assert found["variance"] == pytest.approx((100 * hits.mean(axis=1)).var())
    assert found["spread"] ** 2 == pytest.approx(found["variance"] - found["sampling"])
    assert found["error_at_64"] == pytest.approx(np.sqrt(found["share"] * found["variance"] * 200 / 64))


def test_equal_sub_nets_are_all_noise_and_halves_tell_them_apart_by_chance():
    random = np.random.default_rng(0)
    coins = (random.random((256, 600)) < random.random(600)).astype(float)
    assert routing_noise.noise(coins)["share"] == pytest.approx(1, abs=0.2)
    assert abs(routing_noise.halves(coins, 0)) < 0.15
    better = (random.random((256, 600)) < np.linspace(0.1, 0.9, 256)[:, None]).astype(float)
    assert routing_noise.noise(better)["share"] < 0.02
    assert routing_noise.halves(better, 0) > 0.98


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("supernet"), 16, "common")


def test_replay_gives_and_counts_what_an_embedder_does(root):
    trained, images, rows = open_bundle(root, CPU).trained, pictures(20, 5), np.array([3, 0, 19, 7])
    features = np.stack([x for _, x in Embedder(trained, images, SHOW, CPU, True)(range(16), np.arange(20))])
    replay = routing_noise.Replay(
        features, Segments(trained).macs(evaluation_view(images[:1], 16, CPU)), trained.spec.groups
    )
    embedder = Embedder(trained, images, SHOW, CPU, True)
    for numbers in (range(16), [9, 2, 3], [14]):
        expected = dict(embedder(numbers, rows))
        for (i, x), (j, y) in zip(replay(numbers, rows), expected.items(), strict=True):
            assert i == j
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4)
    assert replay.cost["macs"] == embedder.cost["macs"]
    assert replay.exhaustive == embedder.full * 20 * 16


def test_the_budget_is_spent_on_the_best_and_not_exceeded():
    random, n, y = np.random.default_rng(0), 600, np.arange(600) % 3
    blur = 3.0 - 0.011 * np.arange(256)  # the higher the number the better
    features = np.stack([np.eye(3)[y] + b * random.normal(size=(n, 3)) for b in blur])
    replay = routing_noise.Replay(features, [4, 3, 3, 3, 3], 4)
    score, order = Score("knn", "top1", 3, KNN), balanced_order(y, 0)
    asked = []
    replay_macs = replay.macs
    replay.macs = lambda numbers: asked.append(len(numbers)) or replay_macs(numbers)
    chosen = routing_noise.few_then_all(replay, order, y, score, np.arange(256.0))
    assert chosen > 200
    assert 0.9 * replay.exhaustive / 15 < replay.cost["macs"] <= replay.exhaustive / 15
    assert asked[-1] == asked[-2] - 1  # one more did not fit


def test_vote_share_of_few_and_the_score_of_all():
    random, y = np.random.default_rng(0), np.arange(60) % 3
    x = np.eye(3)[y] + 0.8 * random.normal(size=(60, 3))
    score = Score("knn", "top1", 3, KNN)
    share = routing_noise.VoteShare("knn", "top1", 3, KNN, 60)
    assert share(x, y) == score(x, y)
    unit = x[:30] / np.linalg.norm(x[:30], axis=1, keepdims=True)
    cosine = unit @ unit.T - 9 * np.eye(30)
    near = np.argsort(-cosine, axis=1)[:, :5]
    weight = np.exp(np.take_along_axis(cosine, near, 1) / 0.1)
    expected = 100 * ((weight * (y[near] == y[:30, None])).sum(axis=1) / weight.sum(axis=1)).mean()
    assert share(x[:30], y[:30]) == pytest.approx(expected, abs=1e-3)


def test_the_program_on_toys(root, tmp_path, monkeypatch):
    task = striped_task(120)
    _write(tmp_path / "tasks/stripes", task)

    def run():
        options = [
            "--supernet",
            root,
            "--features",
            tmp_path / "kept",
            "--tasks",
            tmp_path / "tasks",
            "--orders",
            2,
            "--seed",
            3,
        ]
        monkeypatch.setattr("sys.argv", ["routing_noise.py", *map(str, options), "--out", str(tmp_path / "out.json")])
        routing_noise.main()
        return json.loads((tmp_path / "out.json").read_text())

    found = run()
    monkeypatch.setattr(routing_noise, "open_bundle", None)  # the second time the features are there
    assert run()["supernets"] == found["supernets"]
    assert {"commit", "device", "command", "route"} <= set(found)
    (one,) = found["supernets"]
    stripes = one["tasks"]["stripes"]
    assert stripes["images"] == 120 and -1 <= stripes["halves"] <= 1 and len(stripes["searches"]) == 5
    for name, searched in stripes["searches"].items():
        assert min(searched["regret"]) >= 0 and min(searched["times_fewer_macs"]) > 1
        assert len(searched["regret"]) == 2
        assert one["mean"][name]["regret"] == pytest.approx(np.mean(searched["regret"]))

    params, bundle = load(route=Search, knn=Knn, embed=Embedding), open_bundle(root, CPU)

    def solve(method, seed):
        route = params["route"].model_copy(update={"method": method, "score": "knn", "prior": 1.0})
        shown = (params["knn"], params["embed"], bundle.clusters, seed, CPU, Progress(""))
        return search(bundle.trained, bundle.baseline, task, route, *shown)

    full, halving = {c.subnet: c.score for c in solve("tree", 0).candidates}, stripes["searches"]["halving"]
    two = 100 * 2.1 / 120  # images whose vote the rounding to float16 may tip
    for at, seed in enumerate((3, 4)):
        ranking = solve("halving", seed)
        assert halving["times_fewer_macs"][at] == pytest.approx(ranking.exhaustive / ranking.macs)
        assert halving["regret"][at] == pytest.approx(max(full.values()) - full[ranking.winner.subnet], abs=two)
    assert stripes["noise"]["variance"] == pytest.approx(np.var(list(full.values())), rel=0.05)


def _write(folder, task: Labelled) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "train.npy", task.images)
    classes = [f"c{i}" for i in range(task.n_classes)]
    meta = {"task": task.name, "metric": task.metric, "classes": classes, "multilabel": False}
    (folder / "meta.json").write_text(json.dumps(meta))
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "label"])
        writer.writerows(["train", classes[label]] for label in task.targets)
