"""One evaluation for all networks: which images go where, and what is refused."""

import numpy as np
import pytest
import torch

from sdr.data.task import Task
from sdr.errors import UserError
from sdr.nets.embed import Embedding
from sdr.route.knn import Knn, knn_scores
from sdr.transfer.evaluate_task import Protocol, evaluate_task
from sdr.transfer.linear import Linear, evaluate
from tests.transfer.tasks import write_task

CPU = torch.device("cpu")
PROTOCOL = Protocol(
    embed=Embedding(size=12, batch_size=4),
    knn=Knn(k=3, temperature=0.1),
    linear=Linear(
        penalties=5, log10_min=-2, log10_max=2, tolerance=1e-6, max_iterations=50, val_fraction=0.2
    ),
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
    expected = evaluate(
        x["train"], y["train"], val, x["test"], y["test"], task.classes, "top1", PROTOCOL.linear, 0
    )

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
    with pytest.raises(
        UserError, match="network broken: the features of 1 of 15 test images of task colours hold NaN"
    ):
        evaluate_task("broken", Broken(), task, PROTOCOL, CPU)
