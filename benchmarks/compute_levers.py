"""Each setting of `compute` against the profile's: images a second of a whole step, views made and network stepped."""

from collections.abc import Callable
from contextlib import ExitStack

import torch

from benchmarks.turns import by_turns, ratio, spread
from sdr.base.randomness import torch_rng
from sdr.ssl.method import build
from sdr.ssl.views import draw
from sdr.train.batches import both_views
from sdr.train.compute import Device, determinism, place
from sdr.train.norms import batch_statistics
from sdr.train.pairs import Pairs
from sdr.train.step import Rates, Trainee
from sdr.train.training import Training

RATES = Rates(1e-6, 1e-6, 0.99)


def whole_step(job: Training, images: torch.Tensor, trainee: Trainee, pairs: Pairs) -> Callable[[], None]:
    """A step of a network on `images` (`B×S×S×3` uint8, on its device), from making their views on."""
    n, height, width, _ = images.shape
    draws = [draw(n, height, width, job.views, i, torch_rng(0, "views", i)) for i in (0, 1)]

    def step() -> None:
        trainee.step(both_views(images, (draws[0], draws[1]), job.views, pairs), [], None, RATES, False)

    return step


def variants(settings: Device, device: torch.device) -> dict[str, tuple[Device, bool, bool]]:
    """Name → settings, whether the two views go side by side where they can, and whether another `deterministic`."""
    changes = [{"bf16": not settings.bf16}, {"channels_last": not settings.channels_last}]
    changes += [{"compile": not settings.compile}, {"fused": not settings.fused}]
    changes += [{"accumulate": 2 if settings.accumulate == 1 else 1}]
    found = {"default": (settings, True, False)}
    for change in changes:
        (name, value), *_ = change.items()
        found[f"{name}: {str(value).lower()}"] = (settings.model_copy(update=change), True, False)
    if device.type == "cuda":
        found["deterministic: the other"] = (settings, True, True)
    elif not settings.compile:
        found["one view after the other"] = (settings, False, False)
    return found


def measure(job: Training, images: torch.Tensor, rounds: int, warm: int, steps: int) -> dict[str, dict]:
    """Images a second under each setting, and the ratio to the default's; or why a setting cannot run here."""
    device, threads, batch = images.device, torch.get_num_threads(), len(images)
    runs, found = {}, {}
    with ExitStack() as stack:
        for name, (settings, beside, other) in variants(job.compute.on(device), device).items():
            torch.set_num_threads(threads)
            try:
                run = _prepare(stack, job, images, settings, beside, job.compute.deterministic ^ other, threads)
                run()  # compiles
                runs[name] = run
            except Exception as error:  # noqa: BLE001 - no compiler, an operation that the device lacks: that is the result
                found[name] = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"}
        seconds = by_turns(runs, rounds, warm, steps, device)
    torch.set_num_threads(threads)
    for name, values in seconds.items():
        rates = [batch / value for value in values]
        found[name] = {"images_per_s": spread(rates), "to_default": ratio(seconds["default"], values)}
    return found


def _prepare(
    stack: ExitStack,
    job: Training,
    images: torch.Tensor,
    settings: Device,
    beside: bool,
    deterministic: bool,
    threads: int,
) -> Callable[[], None]:
    device = images.device
    pairs = stack.enter_context(Pairs(device, wanted=beside and settings.side_by_side))
    job.check(settings.accumulate)
    network = place(build(job.method, job.spec, job.spec.subnet_widths, job.heads, job.contrast), device, settings)
    stack.enter_context(batch_statistics(network))
    step = whole_step(job, images, Trainee(network, job.optimization, settings, pairs), pairs)
    own = threads // 2 if pairs.side_by_side else threads

    def run() -> None:
        torch.set_num_threads(own)
        with determinism(deterministic and device.type == "cuda"):
            step()

    return run
