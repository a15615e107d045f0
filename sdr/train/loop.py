"""The training of a super-net and its sub-nets (paper, Algorithm 1). With no sub-net it is the baseline's."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.base.outputs import scratch
from sdr.base.randomness import derive
from sdr.base.ranks import any_of, from_first, rank, world
from sdr.base.signals import deferred_signals
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.nets.paths import path_of
from sdr.nets.supernet import SubNets
from sdr.ssl.byol import Target
from sdr.ssl.method import CLASSES, Method, build
from sdr.ssl.simclr import Contrast
from sdr.ssl.simsiam import SimSiam
from sdr.ssl.views import Views
from sdr.train.batches import Batches, Images
from sdr.train.compute import Compute, determinism, place
from sdr.train.memory import keep_freed_memory
from sdr.train.norms import batch_statistics
from sdr.train.optimizers import Optimization
from sdr.train.pairs import Pairs
from sdr.train.schedule import W0, Schedule, cosine
from sdr.train.step import Distillation, Outcome, Rates, Trainee
from sdr.train.watch import Watch, peak_mib


@dataclass(frozen=True)
class Training:
    """All that a training depends on.

    Attributes:
        stage: its name in messages.
        subsets: the image indices of D_1 … D_k, a sub-net each; D_0 is the union of all images.
        images: N, the size of D_0.
    """

    stage: str
    method: Method
    target: Target
    contrast: Contrast
    spec: Backbone
    heads: Heads
    views: Views
    optimization: Optimization
    schedule: Schedule
    images: int
    compute: Compute
    subsets: list[np.ndarray] = field(default_factory=list)
    distillation: Distillation | None = None
    log_every: int = 10

    def rates(self, step: int) -> Rates:
        """Learning rates and target momentum of a step."""
        steps, peak = self.schedule.steps, self.optimization.peak
        warmup = round(self.optimization.warmup_epochs * self.images / self.optimization.batch_size)
        encoder = peak * cosine(step, steps, warmup)
        fixed = CLASSES[self.method].fixed_predictor_lr
        return Rates(encoder, peak if fixed else encoder, self.target.at(step, steps))

    def check(self, parts: int) -> None:
        """Raise UserError where a step could not be computed, with a process' batch passing in so many `parts`."""
        images = self.optimization.batch_size // world() // parts
        if images < 2 and (self.method == "simclr" or world() == 1):
            raise UserError(
                f"{self.stage}: {images} image a process and part of the batch: batch norms and the contrast with other images "
                "(method simclr) need two; raise batch_size, or start fewer processes, or lower compute.…accumulate"
            )
        for number, subset in enumerate(self.subsets):
            if len(subset) < 2:
                raise UserError(
                    f"{self.stage}: cluster {number} holds {len(subset)} image(s) and a sub-net needs two at least: "
                    "raise cluster.min_share or lower n_subnets"
                )


def train(
    job: Training, data: Images, checkpoints: Checkpoints, device: torch.device
) -> tuple[SimSiam, list[dict], dict]:
    """Run `job`.

    Returns:
        W_0 with its heads (batch-norm statistics are left to calibration); the history, a row a look; and the cost:
        `seconds`, `images`, `images_per_s`, `wait_share` (of the time, spent waiting for data), `peak_mib`, `device`,
        `processes`.

    Raises:
        UserError: a network collapsed, its loss is not finite, or the device's memory is too small.
        KeyboardInterrupt: SIGINT or SIGTERM came; the state after the step that ran then is saved.
    """
    try:
        with determinism(job.compute.deterministic and device.type == "cuda"):
            return _train(job, data, checkpoints, device)
    except torch.OutOfMemoryError as error:
        size = job.optimization.batch_size
        raise UserError(
            f"{device}: out of memory with a batch of {size} images ({size // world()} a process): raise "
            f"compute.{device.type}.accumulate, lower batch_size, set resident: false there, or start more processes; "
            f"the last good checkpoint is {checkpoints.last} ({str(error).splitlines()[0]})"
        ) from None


def _train(
    job: Training, data: Images, checkpoints: Checkpoints, device: torch.device
) -> tuple[SimSiam, list[dict], dict]:
    settings = job.compute.on(device)
    job.check(settings.accumulate)
    if device.type == "cpu":
        keep_freed_memory()
    state = from_first(checkpoints.load() if rank() == 0 else None)
    step, history, cost = (
        (state["step"], state["history"], state["cost"]) if state else (0, [], {"seconds": 0.0, "waited": 0.0})
    )
    with ExitStack() as stack:
        pairs = stack.enter_context(Pairs(device, wanted=world() == 1 and settings.side_by_side))
        torch.manual_seed(derive(job.schedule.seed, "weights"))
        networks = [
            place(build(job.method, job.spec, widths, job.heads, job.contrast), device, settings)
            for widths in (job.spec.supernet_widths, job.spec.subnet_widths)[: 2 if job.subsets else 1]
        ]
        w0, *sub = (Trainee(network, job.optimization, settings, pairs) for network in networks)
        if state:
            w0.network.load_state_dict(state["supernet"])
            w0.optimizer.load_state_dict(state["optimizer"])
            print(f"{job.stage}: going on from step {step:,} of {job.schedule.steps:,}")
        stack.enter_context(batch_statistics(*networks))
        subnets = SubNets(w0.network, sub[0].network, job.spec, (w0.optimizer, sub[0].optimizer)) if sub else None
        watch = Watch(
            job.stage, job.schedule.steps, step, job.log_every, job.optimization.batch_size, history, scratch()
        )
        stack.callback(watch.close)
        watch.good = checkpoints.last
        signals = stack.enter_context(deferred_signals())
        began, batches = (
            time.perf_counter(),
            Batches(
                data,
                job.subsets,
                job.schedule,
                job.optimization.batch_size,
                job.views,
                step,
                device,
                settings.resident,
                pairs,
            ),
        )

        def spent() -> dict:
            return {"seconds": cost["seconds"] + time.perf_counter() - began, "waited": cost["waited"] + batches.waited}

        def save() -> None:
            if rank() == 0:
                state = {"supernet": w0.network.state_dict(), "optimizer": w0.optimizer.state_dict()}
                checkpoints.save(state | {"step": step, "history": history, "cost": spent()}, step)
            watch.good = checkpoints.last

        for batch, views in stack.enter_context(batches):
            phase, rates = job.schedule.phase(step), job.rates(step)
            outcome = _step(job, batch.network, views, w0, sub[0] if sub else None, subnets, rates, watch.due(step))
            del views  # or they would lie beside those of the next step
            if watch.due(step):
                watch.look(step, batch.network, phase, outcome, rates)
            watch.count(step)
            step += 1
            if watch.due(step) or world() == 1:  # several processes must stop at the same step
                if any_of(signals.received is not None):
                    save()
                    raise KeyboardInterrupt
            if rank() == 0 and checkpoints.due():
                watch.check(step - 1, batch.network, phase, float(outcome.losses.sum()))
                save()
    return _plain(job, w0.network), history, _bill(job, spent(), device)


def _step(
    job: Training,
    network: int,
    views: tuple[Tensor, Tensor],
    w0: Trainee,
    sub: Trainee | None,
    subnets: SubNets | None,
    rates: Rates,
    norm: bool,
) -> Outcome:
    """One draw of Algorithm 1: a step of W_0, or of the sub-net W_i that W_0 teaches."""
    if network == W0:
        return w0.step(views, [], None, rates, norm)
    how = job.distillation
    if how.train_teacher:
        targets = w0.step(views, [], None, rates, False).targets
        taught = [] if how.loss == "none" else targets[: how.views]
    else:
        taught = w0.teach(views, how)
    path = path_of(network, job.spec.groups)
    subnets.check_out(path)
    outcome = sub.step(views, taught, how, rates, norm)
    subnets.check_in(path)
    return outcome


def _plain(job: Training, network: SimSiam) -> SimSiam:
    """The same network with ordinary batch norms, which calibration knows."""
    if world() == 1:
        return network
    plain = build(job.method, job.spec, job.spec.supernet_widths, job.heads)
    plain.load_state_dict(network.state_dict())
    return plain.to(next(network.parameters()).device, memory_format=torch.channels_last)


def _bill(job: Training, spent: dict, device: torch.device) -> dict:
    images = job.schedule.steps * job.optimization.batch_size
    return {
        "seconds": round(spent["seconds"], 1),
        "images": images,
        "images_per_s": round(images / spent["seconds"], 1),
        "wait_share": round(spent["waited"] / spent["seconds"], 4),
        "peak_mib": peak_mib(device),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processes": world(),
    }
