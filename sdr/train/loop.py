"""The training of a super-net and its sub-nets (paper, Algorithm 1). With no sub-net it is the baseline's."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

import torch

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.base.outputs import scratch
from sdr.base.ranks import any_of, from_first, rank, world
from sdr.base.signals import deferred_signals
from sdr.ssl.simsiam import SimSiam
from sdr.train.batches import Batches, Images
from sdr.train.compute import determinism, keep_freed_memory
from sdr.train.networks import Networks
from sdr.train.norms import batch_statistics
from sdr.train.pairs import Pairs
from sdr.train.training import Training
from sdr.train.watch import Watch, peak_mib

COUNTED = ("seconds", "waited", "probed")  # of the time: all, for data, and the probe's looks
OnStep = Callable[[int, int], None]  # (step, the network that it trained)


class Looks(Protocol):
    """What looks at the networks as they are trained: `sdr.train.probe.Probe`, whose code only those depend on who have one."""

    rows: list[dict]
    seconds: float

    def due(self, step: int) -> bool: ...

    def look(self, step: int, network: int, trained: SimSiam, history: list[dict]) -> None: ...


def train(
    job: Training,
    data: Images,
    checkpoints: Checkpoints | None,
    device: torch.device,
    baseline: SimSiam | None = None,
    on_step: OnStep = lambda step, network: None,
    probe: Looks | None = None,
) -> tuple[SimSiam, list[dict], dict]:
    """Run `job`.

    Args:
        checkpoints: where the state is kept, and gone on from; None keeps nothing.
        baseline: on `device`, where `job` starts from it or is taught by it (`sdr.train.networks.load_baseline`).
        on_step: called after each step, and before it is asked whether a checkpoint is due.
        probe: looks at the networks as they are trained.

    Returns:
        W_0 with its heads (batch-norm statistics are left to calibration); the history, a row a look; and the cost:
        `seconds`, `images`, `images_per_s`, `wait_share` and `probe_share` (of the time, spent waiting for data and on
        looks of the probe), `peak_mib`, `device`, `processes`.

    Raises:
        UserError: a network collapsed, its loss is not finite, or the device's memory is too small.
        KeyboardInterrupt: SIGINT or SIGTERM came; the state after the step that ran then is saved.
    """
    try:
        with determinism(job.compute.deterministic and device.type == "cuda"):
            return _train(job, data, checkpoints, device, baseline, on_step, probe)
    except torch.OutOfMemoryError as error:
        size = job.optimization.batch_size
        raise UserError(
            f"{device}: out of memory with a batch of {size} images ({size // world()} a process): raise "
            f"compute.{device.type}.accumulate, lower batch_size, set resident: false there, or start more processes; "
            f"the last good checkpoint is {checkpoints and checkpoints.last} ({str(error).splitlines()[0]})"
        ) from None


def _train(
    job: Training,
    data: Images,
    checkpoints: Checkpoints | None,
    device: torch.device,
    baseline: SimSiam | None,
    on_step: OnStep,
    probe: Looks | None,
) -> tuple[SimSiam, list[dict], dict]:
    settings = job.compute.on(device)
    job.check(settings.accumulate)
    if device.type == "cpu":
        keep_freed_memory()
    state = from_first(checkpoints.load() if checkpoints and rank() == 0 else None)
    step, history, cost = (
        (state["step"], state["history"], state["cost"]) if state else (0, [], dict.fromkeys(COUNTED, 0.0))
    )
    if probe and state:
        probe.rows[:] = state["probe"]
    with ExitStack() as stack:
        pairs = stack.enter_context(Pairs(device, wanted=world() == 1 and settings.side_by_side))
        networks = Networks.build(job, baseline, state, device, settings, pairs)
        if state:
            print(f"{job.stage}: going on from step {step:,} of {job.schedule.steps:,}")
        stack.enter_context(batch_statistics(*networks.modules))
        watch = Watch(
            job.stage, job.schedule.steps, step, job.log_every, job.optimization.batch_size, history, scratch()
        )
        stack.callback(watch.close)
        watch.good = checkpoints and checkpoints.last
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
            now = (time.perf_counter() - began, batches.waited, probe.seconds if probe else 0.0)
            return {name: cost[name] + seconds for name, seconds in zip(COUNTED, now)}

        def save() -> None:
            if checkpoints is None:
                return
            if rank() == 0:
                rows = {"history": history, "probe": probe.rows if probe else []}
                checkpoints.save(networks.state() | rows | {"step": step, "cost": spent()}, step)
            watch.good = checkpoints.last

        for batch, views in stack.enter_context(batches):
            phase, rates = job.schedule.phase(step), job.rates(step)
            outcome = networks.step(batch.network, views, rates, watch.due(step))
            del views  # or they would lie beside those of the next step
            if watch.due(step):
                watch.look(step, batch.network, phase, outcome, rates)
            if probe and probe.due(step):
                probe.look(step, batch.network, networks.trained_by(batch.network), history)
                watch.show(probe.rows[-1])
            watch.count(step)
            on_step(step, batch.network)
            step += 1
            if watch.due(step) or world() == 1:  # several processes must stop at the same step
                if any_of(signals.received is not None):
                    save()
                    raise KeyboardInterrupt
            if checkpoints and rank() == 0 and checkpoints.due():
                watch.check(step - 1, batch.network, phase, float(outcome.losses.sum()))
                save()
    return networks.trained(), history, _bill(job, spent(), device)


def _bill(job: Training, spent: dict, device: torch.device) -> dict:
    images = job.schedule.steps * job.optimization.batch_size
    return {
        "seconds": round(spent["seconds"], 1),
        "images": images,
        "images_per_s": round(images / spent["seconds"], 1),
        "wait_share": round(spent["waited"] / spent["seconds"], 4),
        "probe_share": round(spent["probed"] / spent["seconds"], 4),
        "peak_mib": peak_mib(device),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processes": world(),
    }
