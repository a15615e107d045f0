"""One evaluation for all networks: which images go where, and what is refused."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sdr.base.errors import UserError
from sdr.evaluate.evaluate_task import Protocol, evaluate_task, evaluate_votes
from sdr.evaluate.knn import Knn, knn_scores
from sdr.evaluate.linear import Fit, Linear, evaluate
from sdr.nets.embed import Embedding, embed
from sdr.tasks.task import Task
from tests.evaluate.tasks import write_task

CPU = torch.device("cpu")
PROTOCOL = Protocol(
    embed=Embedding(side=12, batch_size=4),
    knn=Knn(k=3, temperature=0.1),
    linear=Linear(penalties=5, log10_min=-2, log10_max=2, tolerance=1e-6, max_iterations=50, val_fraction=0.2),
    seed=0,
)


class Means(torch.nn.Module):
    """The mean of each channel and of the upper half; remembers the batches it saw."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, x):
        self.batches.append(len(x))
        return torch.cat([x.mean((2, 3)), x[:, :, :6].mean((2, 3))], dim=1)


def features(task, split):
    images = task.images(split) / 255
    shown = torch.from_numpy((images - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).permute(0, 3, 1, 2)
    return Means()(shown).numpy().astype(np.float32)


@pytest.mark.parametrize("n_val", [0, 12])
def test_each_split_is_used_as_the_protocol_says(tmp_path, n_val):
    task = Task.open(write_task(tmp_path / "colours", n_val, noise=400))
    network = Means()
    result = evaluate_task("means", network, task, PROTOCOL, CPU)

    splits = ["train", "val", "test"] if n_val else ["train", "test"]
    x, y = {s: features(task, s) for s in splits}, {s: task.targets(s) for s in splits}
    val = (x["val"], y["val"]) if n_val else None
    expected = evaluate(x["train"], y["train"], val, x["test"], y["test"], task.classes, "top1", PROTOCOL.linear, 0)

    def knn(*splits):
        known = np.concatenate([x[s] for s in splits]), np.concatenate([y[s] for s in splits])
        return 100 * (knn_scores(*known, x["test"], 3, 3, 0.1).argmax(1) == y["test"]).mean()

    assert not n_val or knn("train") != knn("train", "val")
    assert result.pop("knn") == pytest.approx(knn(*splits[:-1]))
    assert result.keys() == expected.keys()
    for key in ("linear", "val", "penalty", "dim"):
        assert result[key] == pytest.approx(expected[key]), key
    assert 40 < result["linear"] < 100  # so that another split would show


def test_images_are_shown_a_batch_at_a_time(tmp_path):
    network = Means()
    evaluate_task("means", network, Task.open(write_task(tmp_path / "colours")), PROTOCOL, CPU)
    assert network.batches == [4] * 7 + [2] + [4] * 3 + [3]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused_by_the_networks_name(tmp_path, value):
    class Broken(Means):
        def forward(self, x):
            out = super().forward(x)
            if len(self.batches) == 9:  # the first of test
                out[1, 2] = value
            return out

    task = Task.open(write_task(tmp_path / "colours"))
    with pytest.raises(UserError, match="network broken: the features of 1 of 15 test images of task colours hold NaN"):
        evaluate_task("broken", Broken(), task, PROTOCOL, CPU)


class Blind(torch.nn.Module):
    """Sees one channel only; `where` is overwritten as sub-nets are in their template."""

    def __init__(self):
        super().__init__()
        self.where = 0

    def forward(self, x):
        return x[:, self.where].mean((1, 2))[:, None] * torch.tensor([1.0, 0.5]) + torch.tensor([1.0, 0.0])


def test_votes_are_the_mean_of_what_each_member_says(tmp_path):
    """Against scikit-learn's classifiers at the penalties that each member gets alone."""
    task, network = Task.open(write_task(tmp_path / "colours", 12, noise=500)), Blind()

    def members():
        for network.where in range(3):
            yield network

    found = evaluate_votes(members(), task, PROTOCOL, CPU)
    y, wanted = {s: task.targets(s) for s in ("train", "val", "test")}, 0
    for member in members():
        penalty = evaluate_task("one", member, task, PROTOCOL, CPU)["penalty"]
        x = {s: embed(member, task.images(s), PROTOCOL.embed, CPU).astype(np.float64) for s in y}
        model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000)
        model.fit(np.concatenate([x["train"], x["val"]]), np.concatenate([y["train"], y["val"]]))
        wanted = wanted + model.predict_proba(x["test"])
    alone = [evaluate_task("one", member, task, PROTOCOL, CPU)["linear"] for member in members()]
    assert found["linear"] == pytest.approx(100 * (wanted.argmax(1) == y["test"]).mean())
    assert found["linear"] not in alone  # so that one member's say would show
    assert found["linear_interval"][0] <= found["linear"] <= found["linear_interval"][1] and 0 < found["knn"] <= 100


def test_votes_on_several_labels_an_image(tmp_path):
    scores = Fit(torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64), None)
    x = np.array([[0.0, 2.0]])
    np.testing.assert_allclose(scores.probabilities(x, True), 1 / (1 + np.exp(-x)))
    np.testing.assert_allclose(scores.probabilities(x, False), np.exp(x) / np.exp(x).sum())
