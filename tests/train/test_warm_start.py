"""From the baseline: every path starts as it; it teaches, frozen; W_0 may stay untrained."""

import copy

import pytest
import torch

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.nets.calibrate import statistics
from sdr.nets.paths import path_of
from sdr.route.segments import Segments
from sdr.route.trained import TrainedSdr
from sdr.ssl.folder import save_network
from sdr.ssl.method import build
from sdr.train.batches import Batches, both_views
from sdr.train.loop import train
from sdr.train.networks import Networks, load_baseline
from sdr.train.norms import batch_statistics
from sdr.train.pairs import Pairs
from sdr.train.schedule import W0
from sdr.train.step import Teacher, Trainee
from tests.train import toys
from tests.train.toys import CPU, Noise, common, sdr_job, weights

WARM = dict(init="baseline", teacher="baseline", first_phase=0.0, w0_share=0.0)


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))


def network(method: str = "simsiam", seed: int = 1):
    torch.manual_seed(seed)
    return build(method, toys.SPEC.single(), toys.SPEC.subnet_widths, toys.HEADS)


def run(job, baseline, name="x", **others):
    return train(job, Noise(), Checkpoints("t", {"name": name}), CPU, baseline, **others)


@pytest.mark.parametrize("method", ["simsiam", "byol", "simclr"])
def test_sub_nets_alone_taught_by_the_baseline_or_by_nobody(method):
    shared, start = common(method=method), network(method)
    before, trained = copy.deepcopy(start.state_dict()), []
    taught, history, _ = run(sdr_job(shared, **WARM), start, "a", on_step=lambda _, network: trained.append(network))
    assert len(trained) == 20 and W0 not in trained and history[0]["distill"] != 0
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())  # frozen
    for off in ({"distill": "none"}, {"distill_weight": 0.0}):
        alone, history, _ = run(sdr_job(shared, **WARM, **off), network(method), f"b{off}")
        assert not any(row["distill"] for row in history) and not torch.equal(weights(taught), weights(alone))


def test_the_first_loss_of_every_path_is_that_of_the_baseline(monkeypatch):
    """Without a learning rate that counts, and all on the same images."""
    monkeypatch.setattr("sdr.train.batches.draw_batch", lambda *_: torch.arange(8).numpy())
    monkeypatch.setattr("sdr.train.batches.torch_rng", lambda seed, *_: torch.Generator().manual_seed(seed))
    still = toys.SGD.model_copy(update={"lr": 1e-12})
    monkeypatch.setattr("sdr.train.schedule.Schedule.network", lambda self, step: step % 16)
    _, history, _ = run(sdr_job(n_subnets=16, images=160, optimization=still, **WARM), network())
    assert len({row["network"] for row in history}) == 16 and len({row["ssl"] for row in history}) == 1


@pytest.mark.parametrize("own", ["none", "affine", "all"])
def test_an_interrupted_warm_start_goes_on_to_the_same_bits(own):
    job = sdr_job(**WARM, own=own)
    whole, history, _ = run(job, network(), "whole")
    with pytest.raises(KeyboardInterrupt):
        train(job, Noise(fuse=9), Checkpoints("t", {"name": "cut"}, 0.0), CPU, network())
    rest, again, _ = run(job, network(), "cut")
    assert torch.equal(weights(whole), weights(rest)) and history == again
    assert (whole.own is not None) == (own != "none")
    for name, value in (whole.own or {}).items():
        assert torch.equal(value, rest.own[name])


def test_norms_of_their_own_are_kept_with_the_super_net(tmp_path):
    found = run(sdr_job(**WARM, own="affine"), network())[0]
    save_network(tmp_path, found, toys.SPEC, toys.HEADS, n_subnets=4)
    trained = TrainedSdr(tmp_path, None, CPU)
    assert found.own["started"].all() and not trained.common
    rows = found.own["backbone.bn1.weight"]
    trained._statistics = {"subnets": statistics(trained.subnet(0)).expand(4, -1)}
    parts = Segments(trained)
    for number in range(4):
        norm = trained.subnet(number).bn1.weight
        assert torch.equal(norm, rows[number])
        parts._subnets[0].check_out(path_of(number, 2))
        assert torch.equal(parts._modules[0][1].weight, rows[number])
    assert not torch.equal(rows[0], rows[1])


def test_sub_nets_that_share_nothing_are_networks_trained_apart():
    """Against copies of the baseline, each with an optimizer of its own, on the steps that are its."""
    job = sdr_job(**WARM, own="all")
    found, settings = run(job, network())[0], job.compute.on(CPU)
    with Pairs(CPU, wanted=False) as pairs:
        apart = [Trainee(network(), job.optimization, settings, pairs) for _ in range(4)]
        teacher = Teacher(network().requires_grad_(False), settings, pairs)
        sizes = job.optimization.batch_size, job.views
        batches = Batches(Noise(), job.subsets, job.schedule, *sizes, 0, CPU, False, pairs)
        for step in range(job.schedule.steps):
            batch = batches.make(step)
            views = both_views(batch.images, batch.draws, job.views, pairs)
            with batch_statistics(teacher.network, apart[batch.network].network):
                taught = teacher.teach(views, job.distillation)
                apart[batch.network].step(views, taught, job.distillation, job.rates(step), False)
    for number, trainee in enumerate(apart):
        for name, parameter in trainee.network.named_parameters():
            torch.testing.assert_close(found.own[name][number], parameter.detach(), rtol=1e-4, atol=1e-5)
    start = Networks.build(job, network(), None, CPU, settings, Pairs(CPU, wanted=False)).w0.network
    assert torch.equal(weights(found), weights(start))  # nothing of W_0 has changed


def test_on_step_sees_each_step_once():
    seen = []
    job = sdr_job()
    run(job, None, on_step=lambda step, network: seen.append((step, network)))
    assert seen == [(step, job.schedule.network(step)) for step in range(20)]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"train_teacher": True}, "train_teacher trains W_0"),
        ({"teacher": "supernet"}, "W_0 teaches but is never trained"),
    ],
)
def test_parameters_that_do_not_go_together(change, said):
    with pytest.raises(ValueError, match=said):
        sdr_job(**(WARM | change))


def test_a_super_net_that_nobody_trains_teaches_nobody():
    sdr_job(**(WARM | {"teacher": "supernet", "distill": "none"}))  # is well


def test_a_baseline_that_does_not_fit_is_told(tmp_path):
    wide = toys.SPEC.single("supernet")
    job = sdr_job(**WARM)
    save_network(tmp_path, build("simsiam", wide, wide.supernet_widths, toys.HEADS), wide, toys.HEADS)
    with pytest.raises(
        UserError, match=r"has backbone .*'widths': \[8, 8, 10, 16\].*, but a sub-net has .*\[6, 6, 8, 12\]"
    ):
        load_baseline(tmp_path, job, CPU)
    single = toys.SPEC.single()
    save_network(tmp_path, network("byol"), single, toys.HEADS)
    with pytest.raises(UserError, match="has method byol, but a sub-net has simsiam"):
        load_baseline(tmp_path, job, CPU)
    heads = toys.HEADS.model_copy(update={"hidden": 24})
    save_network(tmp_path, build("simsiam", single, single.subnet_widths, heads), single, heads)
    with pytest.raises(UserError, match="has heads"):
        load_baseline(tmp_path, job, CPU)
    save_network(tmp_path, network(), single, toys.HEADS)
    assert torch.equal(weights(load_baseline(tmp_path, job, CPU)), weights(network()))
    assert load_baseline(tmp_path / "not there", sdr_job(), CPU) is None
