"""A baseline that goes on from weights: it starts as they are, a new head learns alone at first, and it can be interrupted."""

import pytest
import torch

from sdr.base.checkpoint import Checkpoints
from sdr.nets.adopt import spec_of
from sdr.nets.calibrate import set_statistics, statistics
from sdr.ssl.start import Start, load_start, save_start
from sdr.train.loop import train
from sdr.train.networks import Networks
from sdr.train.pairs import Pairs
from sdr.train.training import Training
from tests.nets.ready import ready
from tests.train import toys
from tests.train.toys import CPU, Noise, baseline_job, common, weights

METHODS = ["simsiam", "byol", "simclr"]
STEPS, ALONE = 10, 5  # 40 images in batches of 8: a warm-up of one epoch


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))


@pytest.fixture
def begin(tmp_path):
    """(timm's network, start, job) of a method; `warmup` in epochs."""

    def begin(
        method: str = "simsiam", warmup: float = 1.0, optimizer=toys.SGD
    ) -> tuple[torch.nn.Module, Start, Training]:
        theirs = ready("resnet26d")
        spec = spec_of(theirs, 2, "it")
        save_start(tmp_path, theirs, None, {})
        start = load_start(tmp_path, method, spec.single(), toys.HEADS, 0)
        shared = common(method=method, backbone=spec)
        how = dict(init="timm:it", init_warmup=warmup, log_every=1, optimization=optimizer)
        return theirs, start, baseline_job(shared, start, **how)

    return begin


@pytest.mark.parametrize("method", METHODS)
def test_before_the_first_step_it_computes_what_timm_does(begin, method):
    theirs, start, job = begin(method)
    device = job.compute.on(CPU)
    with Pairs(CPU) as pairs:
        found = Networks.build(job, start.network, None, CPU, device, pairs).w0.network
    theirs.reset_classifier(0)
    x = torch.randn(4, 3, 32, 32)
    parts = [found.backbone, *([found.followers["backbone"]] if method == "byol" else [])]
    with torch.no_grad():
        for part in parts:
            for mode in (True, False):  # by the batch's statistics, as it trains, and by its own
                set_statistics(part, statistics(theirs))
                torch.testing.assert_close(part.train(mode)(x), theirs.train(mode)(x), rtol=1e-5, atol=1e-5)
                theirs.load_state_dict(
                    {
                        k.removeprefix("backbone."): v
                        for k, v in start.network.state_dict().items()
                        if k.startswith("backbone.")
                    }
                )


@pytest.mark.parametrize("optimizer", [toys.SGD, toys.LARS], ids=["sgd", "lars"])
@pytest.mark.parametrize("method", METHODS)
def test_a_new_head_learns_alone_at_first(begin, method, optimizer):
    _, start, job = begin(method, optimizer=optimizer)
    assert job.schedule.steps == STEPS and job.head_steps == ALONE
    before, seen = weights(start.network.backbone), []
    build = Networks.step

    def step(self, *arguments):
        outcome = build(self, *arguments)
        network = self.w0.network
        momentum = sum(
            float(self.w0.optimizer.state[p]["momentum_buffer"].abs().sum()) for p in network.backbone.parameters()
        )
        seen.append((torch.equal(weights(network.backbone), before), weights(network.projector), momentum))
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Networks, "step", step)
        train(job, Noise(), None, CPU, start.network)
    assert [same for same, _, _ in seen] == [True] * ALONE + [False] * (STEPS - ALONE)
    assert [moved > 0 for _, _, moved in seen] == [False] * ALONE + [True] * (STEPS - ALONE)
    assert all(not torch.equal(a[1], b[1]) for a, b in zip(seen, seen[1:]))


def test_interrupted_in_either_part_it_goes_on_to_the_same_bits(begin):
    _, start, job = begin()
    whole, history, _ = train(job, Noise(), Checkpoints("t", {"name": "whole"}), CPU, start.network)
    for fuse in (ALONE - 2, ALONE + 2):
        with pytest.raises(KeyboardInterrupt):
            train(job, Noise(fuse=fuse), Checkpoints("t", {"name": fuse}, 0.0), CPU, start.network)
        rest, again, _ = train(job, Noise(), Checkpoints("t", {"name": fuse}), CPU, start.network)
        assert torch.equal(weights(whole), weights(rest)) and history == again


def test_the_learning_rate_begins_anew_where_the_backbone_joins(begin):
    _, _, job = begin()
    plain = baseline_job(common(), log_every=1)
    assert job.rates(ALONE).encoder == job.rates(0).encoder < job.rates(1).encoder
    assert [job.rates(step).head_only for step in range(STEPS)] == [True] * ALONE + [False] * (STEPS - ALONE)
    assert plain.head_steps == 0 and plain.init == "random" and not plain.rates(0).head_only


def test_a_head_of_its_own_does_not_wait(begin):
    _, start, job = begin(warmup=0.0)
    assert job.head_steps == 0
    fits = Start(start.network, new_head=False)
    assert baseline_job(common(), fits, init="timm:it").head_steps == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [({"width": "supernet"}, "width must be subnet"), ({"init_warmup": 2.0}, "init_warmup must be shorter")],
)
def test_parameters_that_do_not_go_together(change, says):
    with pytest.raises(ValueError, match=says):
        baseline_job(common(), init="timm:it", **change)
    if "width" in change:
        baseline_job(common(), **change)  # from nothing all is well
