"""The training loop on tiny networks and images."""

import signal
import threading

import pytest
import torch
import torch._dynamo.testing

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.nets.paths import path_of
from sdr.train import loop, step
from sdr.train.loop import train
from sdr.train.schedule import W0
from tests.train import toys
from tests.train.toys import Noise, baseline_job, common, compute, sdr_job, weights

BYOL = dict(method="byol")
SIMCLR = dict(method="simclr")


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path))


def run(job, name="x", data=None, seconds=60.0):
    return train(job, data or Noise(), Checkpoints("t", {"name": name}, seconds), toys.CPU)


@pytest.mark.parametrize(
    "shared, change",
    [
        ({}, {}),
        ({}, {"distill": "l2", "distill_views": 2}),
        ({}, {"distill": "none"}),
        ({}, {"subsets": "all", "train_teacher": True, "w0_share": 0.0}),
        (BYOL, {"optimization": toys.LARS}),
        (SIMCLR, {}),
        (SIMCLR | {"compute": compute(accumulate=2)}, {"distill_views": 2}),
        (
            # Views so large that no convolution of stride 2 sees a single pixel: oneDNN leaves some of such a one's gradient
            # unwritten in bfloat16 on a CPU.
            {
                "compute": compute(accumulate=2, fused=True, channels_last=False, bf16=True, teacher_bf16=True),
                "views": toys.VIEWS.model_copy(update={"side": 32}),
            },
            {},
        ),
        ({"compute": compute(resident=True)}, {}),
    ],
)
def test_same_job_same_bits_and_another_seed_others(shared, change):
    jobs = [sdr_job(common(seed, **shared), epochs=2.0, **change) for seed in (0, 0, 1)]
    results = [weights(run(job, f"x{i}")[0]) for i, job in enumerate(jobs)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_the_losses_are_told_apart():
    _, history, cost = run(sdr_job())
    assert [row["step"] for row in history] == list(range(20))
    for row in history:
        assert row["loss"] == pytest.approx(row["ssl"] + row["distill"], abs=2e-5)
        assert (row["distill"] == 0) == (row["network"] == "W0")
        assert -1 <= row["ssl"] <= 1 and -1 <= row["distill"] <= 1
        assert row["gradient"] > 0
    assert {row["network"] for row in history if row["phase"] > 0} > {"W0"}
    assert cost["images"] == 160 and 0 <= cost["wait_share"] < 1 and cost["processes"] == 1


def test_rows_are_live_while_it_runs(tmp_path):
    _, history, _ = run(sdr_job())
    lines = (tmp_path / "live" / "train_sdr.csv").read_text().splitlines()
    assert lines[0] == ",".join([*history[0], "images_per_s", "memory_mib"])
    assert [line.split(",")[:3] for line in lines[1:]] == [
        [str(row[k]) for k in ("step", "phase", "network")] for row in history
    ]


@pytest.fixture(scope="module", params=[{}, BYOL], ids=["simsiam", "byol"])
def whole(request, tmp_path_factory):
    """A job, and the weights and the history of its training that nothing interrupted."""
    job = sdr_job(common(**request.param))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDR_SCRATCH", str(tmp_path_factory.mktemp("whole")))
        network, history, _ = run(job)
    return job, weights(network), history


@pytest.mark.parametrize("stop", [3, 9, 17])
def test_an_interrupted_training_goes_on_to_the_same_bits(stop, whole, tmp_path):
    job, bits, history = whole
    with pytest.raises(KeyboardInterrupt):
        run(job, "part", Noise(fuse=stop), seconds=0.0)
    rest = Noise()
    resumed, same, _ = run(job, "part", rest)
    assert 10**9 - rest.fuse == 20 - stop  # it did not start anew
    assert torch.equal(bits, weights(resumed)) and history == same
    steps = [int(line.split(",")[0]) for line in (tmp_path / "live" / "train_sdr.csv").read_text().splitlines()[1:]]
    assert steps == list(range(20))


def test_a_signal_ends_it_after_the_step_with_a_checkpoint_of_that_step():
    class Signal(Noise):
        def read(self, indices):
            if (10**9 - self.fuse) == 7:
                signal.raise_signal(signal.SIGTERM)
            return super().read(indices)

    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("not deferred"))
    try:
        checkpoints = Checkpoints("t", {"name": "x"})
        with pytest.raises(KeyboardInterrupt):
            train(sdr_job(epochs=2.0), _OnMain(Signal()), checkpoints, toys.CPU)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert checkpoints.last is not None
    again = Noise()
    resumed, _, _ = run(sdr_job(epochs=2.0), "x", again)
    assert 10**9 - again.fuse < 10
    assert torch.equal(weights(resumed), weights(run(sdr_job(epochs=2.0), "whole")[0]))


class _OnMain:
    """Signals arrive in the main thread; a batch is read in another one: `raise_signal` there reaches the main one."""

    def __init__(self, data):
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def read(self, indices):
        return self._data.read(indices)


def test_the_baseline_trains_a_network_of_a_sub_nets_width():
    network, history, _ = run(baseline_job())
    assert network.backbone.num_features == toys.SPEC.subnet_widths[-1]
    assert {row["network"] for row in history} == {"W0"} and len(history) == 5


def test_a_loss_that_is_not_finite_stops_with_network_step_and_checkpoint():
    wild = toys.SGD.model_copy(update={"lr": 1e30})
    with pytest.raises(UserError, match=r"network W0 .* at step \d+ .*there is no checkpoint yet.*learning rate"):
        run(sdr_job(optimization=wild))


def test_a_loss_that_is_not_finite_is_never_saved_as_a_good_state():
    wild = toys.SGD.model_copy(update={"lr": 1e30})
    checkpoints = Checkpoints("t", {}, seconds=0.0)
    with pytest.raises(UserError, match=r"the last good checkpoint is .*step-0000000\d\.ckpt"):
        train(sdr_job(optimization=wild, log_every=50), Noise(), checkpoints, toys.CPU)
    state = Checkpoints("t", {}).load()
    assert all(torch.isfinite(t).all() for t in state["supernet"].values())


def test_collapse_names_the_network_and_its_cluster(monkeypatch):
    """One colour everywhere and no jitter: all projections agree."""
    data = Noise()
    data.images[:] = 128
    still = toys.VIEWS.model_copy(
        update={"jitter_p": 0.0, "grey_p": 0.0, "blur_p": [0.0, 0.0], "solarise_p": [0.0, 0.0]}
    )
    tiny = toys.SGD.model_copy(update={"lr": 1e-6})
    with pytest.raises(UserError, match="network W0 has collapsed at step"):
        run(baseline_job(common(views=still), epochs=8.0, optimization=tiny, log_every=1), data=data)
    monkeypatch.setattr("sdr.train.schedule.Schedule.network", lambda self, step: 2)
    with pytest.raises(UserError, match=r"network 2 \(cluster 2\) has collapsed at step 4 "):
        run(sdr_job(common(views=still), optimization=tiny), "y", data)
    data.fuse = 3
    with pytest.raises(KeyboardInterrupt):
        run(sdr_job(common(views=still), optimization=tiny), "interrupted", data, seconds=0.0)
    data.fuse = 10**9
    with pytest.raises(UserError, match=r"network 2 \(cluster 2\) has collapsed at step 4 "):
        run(sdr_job(common(views=still), optimization=tiny), "interrupted", data)


def test_out_of_memory_says_what_to_lower(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("sdr.train.batches.make_views", full)
    with pytest.raises(UserError, match=r"batch of 8 images \(8 a process\): raise compute.cpu.accumulate"):
        run(sdr_job())


def test_parts_of_a_batch_follow_one_another(monkeypatch):
    """Four gradients added in whatever order two threads come to would not be the same bits every time."""
    threads, forward = set(), step.SimSiam.forward

    def seen(self, x):
        threads.add(threading.get_ident())
        return forward(self, x)

    monkeypatch.setattr(step.SimSiam, "forward", seen)
    run(sdr_job(common(compute=compute(accumulate=2)), epochs=1.0))
    assert threads == {threading.get_ident()}


def test_an_odd_batch_cannot_be_accumulated():
    with pytest.raises(UserError, match="8 images a process cannot be cut into .* 3 equal"):
        run(sdr_job(common(compute=compute(accumulate=3))))


def test_parts_of_a_batch_add_up_where_no_batch_norm_looks(monkeypatch):
    """In evaluation mode a batch in four parts gives the gradient of the whole."""
    seen = []
    monkeypatch.setattr(
        step.SimSiam,
        "forward",
        lambda self, x: (y := self.eval().projector(self.backbone(x)), self.predictor(y), y.detach()),
    )
    monkeypatch.setattr(
        step,
        "_norm",
        lambda network: seen.append(torch.cat([p.grad.flatten() for p in network.parameters()])) or torch.zeros(()),
    )
    for parts in (1, 4):
        run(baseline_job(common(compute=compute(accumulate=parts))), f"x{parts}")
    torch.testing.assert_close(seen[0], seen[5], rtol=1e-3, atol=1e-4)


def test_one_graph_serves_all_sub_nets(monkeypatch):
    """16 paths, W_0 and its teaching: three graphs, of W_0's step, its teaching and the template's step, and none after them."""
    counter = torch._dynamo.testing.CompileCounter()
    monkeypatch.setattr(torch, "compile", lambda f, **_: torch._dynamo.optimize(counter)(f))
    torch._dynamo.reset()
    numbers = iter([W0, *range(16), W0, *range(16), 3, W0])
    frames = []
    monkeypatch.setattr("sdr.train.schedule.Schedule.network", lambda self, step: next(numbers))
    monkeypatch.setattr(loop.Watch, "count", lambda self, step: frames.append(counter.frame_count))
    job = sdr_job(common(compute=compute(compile=True)), n_subnets=16, images=160, epochs=1.8)
    assert job.schedule.steps == 36 and len({path_of(i, 2) for i in range(16)}) == 16
    run(job, data=Noise(160))
    assert frames[0] == 1 and frames[1] == 3 and frames[-1] == 3, frames


def test_the_compiled_training_is_the_plain_one(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **_: torch._dynamo.optimize("eager")(f))
    torch._dynamo.reset()
    plain, compiled = (
        run(sdr_job(common(compute=compute(compile=wanted))), str(wanted))[1] for wanted in (False, True)
    )
    for a, b in zip(plain[:8], compiled[:8], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=2e-3)


def test_a_teacher_that_learns_too_sees_the_sub_nets_images():
    """What it teaches is what it would teach else (nearly without a learning rate), but W_0 moves in each step."""
    still = toys.SGD.model_copy(update={"lr": 1e-9})
    (_, joint, _), (_, alone, _) = (
        run(sdr_job(w0_share=0.0, train_teacher=t, optimization=still), f"a{t}") for t in (True, False)
    )
    for a, b in zip(joint, alone, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-3) and a["network"] == b["network"]
    (_, joint, _), (_, alone, _) = (run(sdr_job(w0_share=0.0, train_teacher=t), f"b{t}") for t in (True, False))
    first = next(i for i, row in enumerate(joint) if row["network"] != "W0")
    assert joint[:first] == alone[:first]
    assert joint[first + 1]["loss"] != pytest.approx(alone[first + 1]["loss"], abs=1e-4)


@pytest.mark.parametrize("method", ["simsiam", "simclr"])
def test_a_batch_of_one_image_is_told(method):
    one = toys.SGD.model_copy(update={"batch_size": 2})
    with pytest.raises(
        UserError, match="train_sdr: 1 image a process and part of the batch: .* need two; raise batch_size"
    ):
        run(sdr_job(common(method=method, compute=compute(accumulate=2)), optimization=one))


def test_one_image_a_process_is_enough_for_simsiam_but_not_for_a_contrast(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "8")
    sdr_job().check(1)
    with pytest.raises(UserError, match="1 image a process and part of the batch"):
        sdr_job(common(method="simclr")).check(1)


@pytest.mark.parametrize("images", [0, 1])
def test_a_cluster_of_fewer_than_two_images_is_told(images):
    job = sdr_job()
    job.subsets[2] = job.subsets[2][:images]
    with pytest.raises(UserError, match=rf"train_sdr: cluster 2 holds {images} image\(s\), and a sub-net needs two"):
        run(job)
