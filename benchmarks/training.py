"""Images a second of (a) the bare step on constant input, (b) our whole loop, (c) lightly's SimSiam.

    python -m benchmarks.training [--device cuda] [--profile profiles/gpu.yaml] [--size 64] [--levers] [--out FILE]

All three train the baseline's network (the profile's backbone at a sub-net's width) in one process, by turns of `--steps`
timed steps after `--warm` others; an image is one image, both its views. (a) steps on two views that are there. (b)
is `sdr.train.loop.train` itself: images are read, views made, the training watched; but no checkpoint is saved.
(c) is lightly's documented loop (benchmarks/lightly_simsiam.py) with a worker a core, given the same images
decoded in memory, in the same precision. Learning rates are tiny, so that no network collapses.

Images are those of `--images`, a folder that `prepare` wrote; without it 4,096 fabricated ones, stored as the profile has it.
`--levers` measures each setting of `compute` against the profile's as well. The share of the device's arithmetic is that of
matrix products of the precision, measured here.
"""

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import compute_levers, lightly_simsiam
from benchmarks.fixture import common, fabricate, facts, read_profile
from benchmarks.turns import by_turns, now, ratio, spread
from sdr.base.randomness import torch_rng
from sdr.corpus.store import ImageStore
from sdr.ssl.method import build
from sdr.ssl.views import draw, make_views
from sdr.train.compute import Device, determinism, place
from sdr.train.jobs import baseline
from sdr.train.loop import train
from sdr.train.norms import batch_statistics
from sdr.train.pairs import Pairs
from sdr.train.settings import Pretrain
from sdr.train.step import Trainee
from sdr.train.training import Training


class Turns:
    """Called after each step of a training: lets the others have their turn."""

    def __init__(self, others: Callable[[], None], warm: int, steps: int, device: torch.device):
        self._others, self._warm, self._steps, self._device = others, warm, steps, device
        self._done, self._began = 0, 0.0
        self.seconds: list[float] = []  # of a step, a value a round

    def __call__(self, step: int, network: int) -> None:
        self._done += 1
        if self._done == self._warm:
            self._began = now(self._device)
        elif self._done == self._warm + self._steps:
            self.seconds.append((now(self._device) - self._began) / self._steps)
            self._others()
            self._done = 0


def compare(job: Training, data: ImageStore, device: torch.device, rounds: int, warm: int, steps: int) -> dict:
    """Let (a), (b) and (c) take turns."""
    threads, seconds = torch.get_num_threads(), {"bare step": [], "lightly": []}
    there = lightly_simsiam.installed()
    if there:
        pixels = data.read(np.arange(len(data)))
        theirs = lightly_simsiam.LightlySimSiam(job, pixels, device, workers=os.cpu_count() or 1)
    else:
        print(lightly_simsiam.INSTALL, file=sys.stderr)
    settings = job.compute.on(device)
    with Pairs(device, wanted=settings.side_by_side) as pairs, bare_step(job, data, device, pairs) as step:
        torch.set_num_threads(threads)  # `train` shares them out anew

        def ours() -> None:
            seconds["bare step"] += by_turns({"": step}, 1, warm, steps, device)[""]

        def lightly() -> None:
            own = torch.get_num_threads()
            torch.set_num_threads(threads)
            with determinism(False):
                seconds["lightly"].append(theirs.turn(warm, steps))
            torch.set_num_threads(own)

        def others() -> None:
            turn = [ours, lightly] if there else [ours]
            # The loop and the bare step come after lightly's workers as often.
            for run in turn if len(seconds["bare step"]) % 2 else reversed(turn):
                run()
            print(f"round {len(seconds['bare step'])} of {rounds}", file=sys.stderr)

        turns = Turns(others, warm, steps, device)
        with contextlib.redirect_stdout(io.StringIO()):
            cost = train(job, data, None, device, on_step=turns)[2]
    seconds["whole loop"] = turns.seconds
    batch = job.optimization.batch_size
    found = {
        "images_per_s": {name: spread([batch / s for s in values]) for name, values in seconds.items() if values},
        "whole_loop_to_bare_step": ratio(seconds["bare step"], seconds["whole loop"]),
        # of the loop's own time, warm-up included
        "wait_share": cost["wait_share"] * cost["seconds"] / (sum(turns.seconds) * (warm + steps)),
    }
    if there:
        found["whole_loop_to_lightly"] = ratio(seconds["lightly"], seconds["whole loop"])
    else:
        found["lightly"] = lightly_simsiam.INSTALL
    return found


@contextlib.contextmanager
def bare_step(job: Training, data: ImageStore, device: torch.device, pairs: Pairs):
    """Yield (a)."""
    settings = job.compute.on(device)
    network = place(build(job.method, job.spec, job.spec.subnet_widths, job.heads, job.contrast), device, settings)
    trainee = Trainee(network, job.optimization, settings, pairs)
    views = constant_views(job, data, device)
    with batch_statistics(network):
        yield lambda: trainee.step(views, [], None, compute_levers.RATES, False)


def constant_views(job: Training, data: ImageStore, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Both views of a batch, `B×3×S×S` each."""
    images = constant_images(job, data, device)
    n, height, width, _ = images.shape
    draws = [draw(n, height, width, job.views, i, torch_rng(0, "views", i)) for i in (0, 1)]
    first, second = make_views(images, draws, job.views)
    return first, second


def constant_images(job: Training, data: ImageStore, device: torch.device) -> torch.Tensor:
    """A batch, `B×S×S×3` uint8."""
    rows = np.resize(np.arange(len(data)), job.optimization.batch_size)
    return torch.from_numpy(data.read(rows)).to(device)


def step_flops(job: Training, data: ImageStore, device: torch.device) -> int:
    """Floating-point operations of a bare step's convolutions and matrix products; a multiply-add is two."""
    eager = job.compute.on(device).model_copy(update={"compile": False})
    network = place(build(job.method, job.spec, job.spec.subnet_widths, job.heads, job.contrast), device, eager)
    trainee = Trainee(network, job.optimization, eager, Pairs(device, wanted=False))
    views = constant_views(job, data, device)
    with FlopCounterMode(display=False) as counter:
        trainee.step(views, [], None, compute_levers.RATES, False)
    return counter.get_total_flops()


def product_rate(side: int, dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second of a product of two square matrices: median of five."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    times = by_turns({"": lambda: torch.mm(a, b, out=out)}, 5, 1, 1, device)[""]
    return 2 * side**3 / float(np.median(times))


def arithmetic(job: Training, data: ImageStore, device: torch.device, squares: list[int], images_per_s: float) -> dict:
    """What share of the device's matrix products the bare step reaches."""
    bf16 = job.compute.on(device).bf16
    rates = {  # on a CPU without such instructions a product in bfloat16 takes minutes
        str(dtype).removeprefix("torch."): {side: product_rate(side, dtype, device) / 1e9 for side in squares}
        for dtype in (torch.float32, torch.bfloat16)
        if dtype == torch.float32 or bf16 or device.type == "cuda"
    }
    flops = step_flops(job, data, device)
    used = "bfloat16" if bf16 else "float32"
    reached = flops / job.optimization.batch_size * images_per_s / 1e9
    return {
        "gflop_per_step": flops / 1e9,
        "gflop_per_s": reached,
        "matrix_products_gflop_per_s": rates,
        "share": reached / max(rates[used].values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--profile", type=Path, default=Path("params.yaml"), help="a file of profiles/, or a complete one"
    )
    parser.add_argument("--size", type=int, nargs="*", help="sides of a view, one run each; else the profile's")
    parser.add_argument("--batch", type=int, help="images a step; else the profile's")
    parser.add_argument("--images", type=Path, help="a prepared corpus, such as artifacts/data; else fabricated")
    parser.add_argument("--fabricated", type=int, default=4096, help="how many are fabricated")
    parser.add_argument("--resident", action="store_true", help="keep the data set in the device's memory")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--warm", type=int, default=10, help="steps at the start of a turn that are not timed")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--levers", action="store_true", help="each setting of compute against the profile's")
    parser.add_argument("--squares", type=int, nargs="+", help="sides of the matrices whose products are measured")
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    device = torch.device(args.device)
    squares = args.squares or ([4096, 8192] if device.type == "cuda" else [1024, 2048])
    before, runs = [round(x, 2) for x in os.getloadavg()], []
    for size in args.size or [None]:
        values = read_profile(args.profile, size, args.batch)
        if args.resident:
            values["compute"][device.type]["resident"] = True
        with TemporaryDirectory() as folder:
            os.environ["SDR_SCRATCH"] = folder  # where the watch writes
            data = ImageStore.open(args.images) if args.images else None
            data = data or fabricate(Path(folder), values["data"]["side"], values["data"]["store"], args.fabricated)
            runs.append(run(args, values, data, device, squares))
        print(json.dumps(runs[-1], indent=2), flush=True)
        if args.out:
            result = {"runs": runs, "load_average_before": before, **facts(args.device)}
            args.out.write_text(json.dumps(result, indent=2) + "\n")


def run(args: argparse.Namespace, values: dict, data: ImageStore, device: torch.device, squares: list[int]) -> dict:
    """All measurements at one size."""
    params, shared = Pretrain(**values["pretrain"]), common(values)
    batch = params.optimization.batch_size
    steps = args.rounds * (args.warm + args.steps)
    job = baseline(params.model_copy(update={"epochs": steps * batch / len(data)}), shared, len(data), len(data))
    settings: Device = job.compute.on(device)
    found = compare(job, data, device, args.rounds, args.warm, args.steps)
    if args.levers:
        found["levers"] = compute_levers.measure(
            job, constant_images(job, data, device), args.rounds, max(1, args.warm // 3), max(1, args.steps // 5)
        )
    bare = found["images_per_s"]["bare step"]["median"]
    return {
        "profile": str(args.profile),
        "view": job.views.side,
        "stored": data.meta["size"],
        "store": data.meta["store"],
        "source": data.meta["source"],
        "images": len(data),
        "batch": batch,
        "rounds": args.rounds,
        "warm": args.warm,
        "steps": args.steps,
        "compute": settings.model_dump() | {"deterministic": job.compute.deterministic},
        "arithmetic": arithmetic(job, data, device, squares, bare),
        **found,
    }


if __name__ == "__main__":
    main()
