"""Fine-tuning: schedule, common random numbers, exact resume, accumulation, and that it learns."""

import copy
import signal

import numpy as np
import pytest
import torch

from sdr.base.checkpoint import States
from sdr.detect.finetune import FineTuning, learning_rate, sgd
from sdr.detect.pyramid import batch_norms
from sdr.detect.voc_ap import evaluate
from tests.detect.toys import Rectangles, backbone, detector

CPU = torch.device("cpu")
TOYS = Rectangles()


def tuning(network=None, data=TOYS, seed: int = 0, decay: bool = True, **changes) -> FineTuning:
    return FineTuning(network or backbone(), data, "trainval", detector(**changes), seed, CPU, decay)


def weights(job: FineTuning) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in job.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_the_schedule_is_that_of_the_reference():
    """Warm-up over 100 iterations from a thousandth; the values are detectron2's (WarmupMultiStepLR)."""
    params = detector(lr=0.02, warmup=100, iterations=18000, steps=[12000, 16000])
    expected = {
        0: 2e-5,
        1: 0.02 * 0.01099,
        50: 0.02 * 0.5005,
        99: 0.02 * 0.99001,
        100: 0.02,
        11999: 0.02,
        12000: 0.002,
        15999: 0.002,
        16000: 0.0002,
        17999: 0.0002,
    }
    for t, rate in expected.items():
        assert learning_rate(t, params, decay=True) == pytest.approx(rate, rel=1e-9)
        assert learning_rate(t, params, decay=False) == pytest.approx(rate if t < 12000 else 0.02, rel=1e-9)
    assert learning_rate(0, detector(warmup=0), True) == 0.01


def test_the_schedule_is_applied_and_logged():
    job = tuning(iterations=6, steps=[3, 5], warmup=2, log_every=2)
    rates = []
    job._optimizer.register_step_pre_hook(lambda o, *_: rates.append([g["lr"] for g in o.param_groups]))
    job.advance(6)
    expected = [1e-5, 0.005005, 0.01, 0.001, 0.001, 0.0001]
    assert rates == [pytest.approx([r, r]) for r in expected]
    assert [row["iteration"] for row in job.history] == [0, 2, 4, 5]  # and the last one
    for row in job.history:
        terms = [row[k] for k in ("loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg")]
        assert row["loss"] == pytest.approx(sum(terms), abs=1e-5) and row["lr"] == pytest.approx(
            expected[row["iteration"]]
        )


@pytest.mark.parametrize("norm", ["frozen", "sync"])
def test_batch_norms_do_not_decay_and_all_else_does(norm):
    job = tuning(norm=norm, weight_decay=0.5)
    groups = job._optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    norms = {id(p) for layer in batch_norms(job.model) for p in layer.parameters()}
    assert {id(p) for p in groups[1]["params"]} == (norms if norm == "sync" else set())
    names = {name for name, p in job.model.named_parameters() if id(p) in {id(q) for q in groups[0]["params"]}}
    assert names == {name for name, p in job.model.named_parameters() if id(p) not in norms}
    assert "backbone.body.conv1.0.weight" in names and "roi_heads.box_predictor.cls_score.bias" in names


def test_the_step_is_sgd_with_momentum():
    job = tuning(iterations=3, steps=[], warmup=0, momentum=0.9, weight_decay=0.1)
    model = copy.deepcopy(job.model)
    optimizer = sgd(model, job.params)
    name = "roi_heads.box_head.fc7.weight"
    p = dict(job.model.named_parameters())[name]
    velocity, value = torch.zeros_like(p), p.detach().clone()
    for t in range(3):
        job.advance(t + 1)
        velocity = 0.9 * velocity + p.grad + 0.1 * value
        value = value - 0.01 * velocity
        torch.testing.assert_close(p.detach(), value, rtol=1e-4, atol=1e-7)
    assert optimizer.defaults["nesterov"] is False


def test_frozen_norms_are_the_same_bits_after_training_and_all_else_moved():
    job = tuning(warmup=0)
    before = weights(job)
    job.advance(3)
    job.detect(TOYS.all[:2])
    job.advance(5)
    norms = {id(t) for layer in batch_norms(job.model) for t in layer.state_dict(keep_vars=True).values()}
    assert len(norms) > 20
    for name, value in job.model.state_dict(keep_vars=True).items():
        assert torch.equal(value, before[name]) == (id(value) in norms), name


def test_sync_norms_are_trained():
    job = tuning(norm="sync", warmup=0)
    before = weights(job)
    job.advance(2)
    layers = {name for name, m in job.model.named_modules() if m in batch_norms(job.model)}
    for name in layers:
        for key in ("weight", "bias", "running_mean", "running_var"):
            assert not torch.equal(before[f"{name}.{key}"], job.model.state_dict()[f"{name}.{key}"]), name


@pytest.mark.parametrize(("norm", "stop"), [("frozen", 1), ("frozen", 4), ("sync", 3)])
def test_an_interrupted_training_goes_on_to_the_same_bits(norm, stop, tmp_path, monkeypatch):
    whole = tuning(norm=norm)
    whole.advance(6)
    listing, states = tuning(norm=norm), States(tmp_path, "toys", "x")
    step = listing._step

    def interrupted(t, *args):
        if t == stop - 1:
            signal.raise_signal(signal.SIGINT)  # in the middle of the iteration
        return step(t, *args)

    monkeypatch.setattr(listing, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        listing.advance(6, states)
    resumed = tuning(norm=norm)
    torch.rand(7)  # another state of the global generator
    resumed.restore(States(tmp_path, "toys", "x").load())
    assert resumed.iteration == stop
    resumed.advance(6)
    assert equal(weights(whole), weights(resumed)) and whole.history == resumed.history
    for one, two in zip(whole.detect(TOYS.all[:3]), resumed.detect(TOYS.all[:3])):
        assert all(np.array_equal(a, b) for a, b in zip(one, two))


def test_evaluating_in_between_changes_no_bit_of_the_training():
    straight, looked = tuning(norm="sync"), tuning(norm="sync")
    straight.advance(4)
    looked.advance(2)
    looked.detect(TOYS.all[:2])
    looked.advance(4)
    parameters = [[p.detach() for p in job.model.parameters()] for job in (straight, looked)]
    assert all(torch.equal(a, b) for a, b in zip(*parameters)) and straight.history == looked.history


def test_another_seed_is_another_training():
    one, two = tuning(seed=0), tuning(seed=1)
    one.advance(1), two.advance(1)
    assert one.history != two.history


def test_two_backbones_see_the_same_batches_and_anchors():
    jobs = [tuning(backbone(seed=1)), tuning(backbone("bottleneck", (9, 10, 11, 13), seed=2), decay=False)]
    seen = []
    for job in jobs:
        images, anchors = [], []
        job.model.backbone.register_forward_pre_hook(lambda _, x, images=images: images.append(x[0].clone()))
        sampler = job.model.rpn.fg_bg_sampler
        job.model.rpn.fg_bg_sampler = lambda labels, s=sampler, a=anchors: a.append(s(labels)) or a[-1]
        job.model.rpn.fg_bg_sampler.batch_size_per_image = sampler.batch_size_per_image
        job.advance(4)
        seen.append((images, [mask for call in anchors for masks in call for mask in masks]))
    assert len(seen[0][0]) == 4 and len(seen[0][1]) == 4 * 2 * 4
    for one, two in zip(*seen):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert len({x.shape for x in seen[0][0]}) > 1  # of several sizes


def test_each_iteration_samples_anew():
    job = tuning(data=Rectangles(1), batch=2, train_sizes=[64], lr=1e-12)
    sampler, drawn = job.model.rpn.fg_bg_sampler, []
    job.model.rpn.fg_bg_sampler = lambda labels: drawn.append(sampler(labels)) or drawn[-1]
    job.model.rpn.fg_bg_sampler.batch_size_per_image = sampler.batch_size_per_image
    job.advance(2)  # the same picture four times
    negatives = [tuple(torch.where(mask)[0].tolist()) for _, masks in drawn for mask in masks]
    assert len(set(negatives)) == 4


def test_accumulation_equals_the_whole_batch():
    """On images of one shape, which need no padding in either case, and with all boxes sampled that may be."""
    toys = Rectangles(12)
    toys.all = [a for a in toys.all if a.width > a.height]
    found = []
    for listings in (1, 2, 4):
        job = tuning(data=toys, accumulate=listings, train_sizes=[64], warmup=0)
        job.advance(1)
        found.append((job.history[0], {name: p.grad for name, p in job.model.named_parameters() if p.requires_grad}))
    for row, gradients in found[1:]:
        assert row == pytest.approx(found[0][0], abs=2e-6)
        for name, value in gradients.items():
            whole = found[0][1][name]
            assert (value - whole).abs().max() <= 1e-4 * whole.abs().max(), name


def test_an_image_is_detected_alone():
    job = tuning()
    job.advance(2)
    together = job.detect(TOYS.all[:4])
    for annotation, found in zip(TOYS.all[:4], together):
        (alone,) = job.detect([annotation])
        assert all(np.array_equal(a, b) for a, b in zip(alone, found))
        assert found.boxes.dtype == np.float32 and found.labels.dtype == np.int64
        assert (np.diff(found.scores) <= 0).all() and (found.scores > 0.05).all() and len(found.scores) <= 100
        assert (found.boxes >= 0).all() and (found.boxes[:, [0, 2]] <= annotation.width + 1e-3).all()


def test_it_learns_to_find_rectangles():
    toys = Rectangles(24, seed=1)
    job = tuning(backbone(widths=(16, 24, 32, 48)), toys, iterations=80, steps=[64], warmup=40)
    before = evaluate(toys.all, job.detect(toys.all), 3)["ap50"]
    job.advance(80)
    losses = [row["loss_classifier"] for row in job.history]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    assert before < 5 and evaluate(toys.all, job.detect(toys.all), 3)["ap50"] > 15
