"""The training loop on tiny networks and images."""

import numpy as np
import pytest
import torch

from sdr.data.views import Views
from sdr.errors import UserError
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.train.checkpoint import Checkpoint, fingerprint
from sdr.train.jobs import Pretrain, Sdr, baseline, sdr
from sdr.train.loop import Optimization, train

SPEC = Backbone(
    block="basic", layers=[1, 1, 1, 1], shared=[4, 4, 6, 8], group=[2, 2, 2, 4], groups=2, stem_type="deep", stem_width=5
)
HEADS = Heads(projection=16, prediction=8, layers=2)
VIEWS = Views(
    size=16, scale=[0.2, 1.0], jitter=[0.4, 0.4, 0.4, 0.1], jitter_p=0.8, grey_p=0.2, blur_p=0.0, blur_sigma=[0.1, 2.0]
)
SGD = Optimization(batch_size=8, lr=0.5, momentum=0.9, weight_decay=1e-4, warmup_epochs=0.5)
CPU = torch.device("cpu")


class Noise:
    """Images of fixed noise; stops the training like Ctrl-C when `fuse` batches have been read."""

    def __init__(self, n: int = 40, fuse: int = 10**9):
        self.images = np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
        self.fuse = fuse

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.fuse -= 1
        if self.fuse < 0:
            raise KeyboardInterrupt
        return self.images[indices]


def sdr_job(seed: int = 0, **changes):
    fields = dict(
        epochs=4.0, optimization=SGD, first_phase=0.3, phase_growth=2.0, w0_share=0.25, progressive=True,
        subsets="cluster", distill="siamkd", distill_views=1, distill_weight=1.0, log_every=1,
    )  # fmt: skip
    assignment = np.arange(40) % 4
    return sdr(Sdr(**(fields | changes)), SPEC, HEADS, VIEWS, assignment, 4, seed)


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))


@pytest.mark.parametrize("change", [{}, {"distill": "l2", "distill_views": 2}, {"distill": "none"}, {"subsets": "all"}])
def test_same_job_same_bits_and_another_seed_others(change):
    results = [weights(train(sdr_job(s, **change), Noise(), Checkpoint(f"x{i}"), CPU)[0]) for i, s in enumerate([0, 0, 1])]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_the_losses_are_told_apart():
    _, history = train(sdr_job(), Noise(), Checkpoint("x"), CPU)
    assert [row["step"] for row in history] == list(range(20))
    for row in history:
        assert row["loss"] == pytest.approx(row["ssl"] + row["distill"], abs=2e-5)
        assert (row["distill"] == 0) == (row["network"] == "W0")
        assert -1 <= row["ssl"] <= 1 and -1 <= row["distill"] <= 1
    assert {row["network"] for row in history if row["phase"] > 0} > {"W0"}


@pytest.mark.parametrize("stop", [3, 9, 17])
def test_an_interrupted_training_goes_on_to_the_same_bits(stop):
    whole, history = train(sdr_job(), Noise(), Checkpoint("whole"), CPU)
    with pytest.raises(KeyboardInterrupt):
        train(sdr_job(), Noise(fuse=stop), Checkpoint("part", seconds=0.0), CPU)
    rest = Noise()
    resumed, same = train(sdr_job(), rest, Checkpoint("part"), CPU)
    assert 10**9 - rest.fuse == 20 - stop  # it did not start anew
    assert torch.equal(weights(whole), weights(resumed))
    drop = [{k: v for k, v in row.items() if k != "images_per_s"} for row in history]
    assert drop == [{k: v for k, v in row.items() if k != "images_per_s"} for row in same]


def test_an_unreadable_checkpoint_is_named_and_left(tmp_path, capsys):
    (tmp_path / "x.pt").write_bytes(b"not a checkpoint")
    train(sdr_job(), Noise(), Checkpoint("x"), CPU)
    assert "x.pt: not a readable checkpoint" in capsys.readouterr().out


def test_fingerprint_changes_with_any_part():
    assert fingerprint(a=1, b=SGD) == fingerprint(a=1, b=SGD)
    assert fingerprint(a=1, b=SGD) != fingerprint(a=1, b=SGD.model_copy(update={"lr": 0.4}))


def test_the_baseline_trains_a_network_of_a_sub_nets_width():
    params = Pretrain(epochs=2.0, optimization=SGD, log_every=2)
    network, history = train(baseline(params, SPEC, HEADS, VIEWS, 40, 0), Noise(), Checkpoint("b"), CPU)
    assert network.backbone.num_features == SPEC.subnet_widths[-1]
    assert {row["network"] for row in history} == {"W0"} and len(history) == 5


def test_a_loss_that_is_not_finite_stops_with_the_network_and_step():
    wild = SGD.model_copy(update={"lr": 1e30})
    with pytest.raises(UserError, match=r"network W0 .* at step \d+ .*learning rate"):
        train(sdr_job(optimization=wild), Noise(), Checkpoint("x"), CPU)


def test_collapse_is_recognised():
    """One colour everywhere and no jitter: all projections agree."""
    data = Noise()
    data.images[:] = 128
    still = VIEWS.model_copy(update={"jitter_p": 0.0, "grey_p": 0.0})
    params = Pretrain(epochs=8.0, optimization=SGD.model_copy(update={"lr": 1e-6}), log_every=1)
    job = baseline(params, SPEC, HEADS, still, 40, 0)
    with pytest.raises(UserError, match="collapsed"):
        train(job, data, Checkpoint("x"), CPU)
