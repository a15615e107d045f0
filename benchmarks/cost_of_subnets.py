"""What 1, 4, 16, 64 and 256 sub-nets cost: the training times of the paper's Table 4 as ratios, ours beside them.

    python -m benchmarks.cost_of_subnets [--device cuda] [--profile profiles/gpu.yaml] [--subnets 1 4 16 64 256] [--out FILE]

Measured, by turns in one process: a step of each kind, as `sdr.train.loop` takes it, from making the views of a batch
that is there; sub-nets on paths drawn anew for each step; and check-out and check-in alone. The schedule then says
how many steps of each kind a run takes, and with that what it costs over a baseline run of equal epochs: of as many
images. Reading images is not in it: it is hidden behind the step (benchmarks/training.py measures that).

The levers are measured on the most sub-nets: views that the teacher sees, the teacher in bfloat16, W_0's share of the
steps, and W_0 trained on the sub-nets' images by the forward pass that teaches: then with half the epochs, since each
step trains two networks, and no steps of its own after the first phase.
"""

import argparse
import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.compute_levers import RATES
from benchmarks.fixture import common, facts, read_profile
from benchmarks.turns import by_turns, ratio, spread
from sdr.base.randomness import torch_rng
from sdr.nets.paths import path_of
from sdr.nets.supernet import SubNets
from sdr.ssl.method import build
from sdr.ssl.views import draw
from sdr.train.batches import both_views
from sdr.train.compute import determinism, place
from sdr.train.jobs import Common, baseline, sdr
from sdr.train.networks import Networks
from sdr.train.norms import batch_statistics
from sdr.train.pairs import Pairs
from sdr.train.schedule import W0
from sdr.train.settings import Pretrain, Sdr
from sdr.train.step import Trainee
from sdr.train.training import Training

PAPER = {1: 260, 4: 370, 16: 400, 64: 460, 256: 500}  # GPU hours, Table 4


def kinds(stack: ExitStack, base: Training, job: Training, subnets: list[int], device: torch.device, stored: int):
    """Name → what takes a step of this kind; all share one super-net and one template, the baseline has its own."""
    settings, size = job.compute.on(device), job.optimization.batch_size
    pairs = stack.enter_context(Pairs(device, wanted=settings.side_by_side))

    def trainee(training: Training, widths: tuple[int, ...]) -> Trainee:
        network = place(
            build(training.method, training.spec, widths, training.heads, training.contrast), device, settings
        )
        stack.enter_context(batch_statistics(network))
        return Trainee(network, training.optimization, settings, pairs)

    alone = trainee(base, base.spec.subnet_widths)
    w0, sub = trainee(job, job.spec.supernet_widths), trainee(job, job.spec.subnet_widths)
    shared = SubNets(w0.network, sub.network, job.spec, (w0.optimizer, sub.optimizer))
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (size, stored, stored, 3), dtype=np.uint8)).to(device)
    drawn = [draw(size, stored, stored, job.views, i, torch_rng(0, "views", i)) for i in (0, 1)]

    def step_of(training: Training, whole: Trainee, part: Trainee | None, n: int | None) -> Callable[[], None]:
        networks = Networks(training, whole, part, shared, whole)

        def step() -> None:
            network = W0 if n is None else int(random.integers(n))
            views = both_views(images, (drawn[0], drawn[1]), job.views, pairs)
            networks.step(network, views, RATES, False)

        return step

    def exchange() -> None:
        path = path_of(int(random.integers(most)), job.spec.groups)
        shared.check_out(path)
        shared.check_in(path)

    most = max(subnets)
    runs = {"baseline": step_of(base, alone, None, None), "W_0": step_of(job, w0, None, None), "exchange": exchange}
    for n in (n for n in subnets if n > 1):
        runs[f"sub-net of {n}"] = step_of(job, w0, sub, n)
    for views, bf16, joint in product((1, 2), (False, True), (False, True)):
        if joint and bf16:  # W_0's own training pass teaches
            continue
        teacher = Trainee(w0.network, job.optimization, settings.model_copy(update={"teacher_bf16": bf16}), pairs)
        how = job.distillation.model_copy(update={"views": views, "train_teacher": joint})
        runs[lever(views, bf16, joint)] = step_of(replace(job, distillation=how), teacher, sub, most)
    return runs


def lever(views: int, bf16: bool, joint: bool) -> str:
    """The name of a sub-net's step under these."""
    return f"sub-net, {views} views" + (", W_0 trained too" if joint else ", teacher in bf16" if bf16 else "")


def w0_steps(params: Sdr, shared: Common, images: int, n: int) -> tuple[int, int]:
    """How many steps of a run with n sub-nets train W_0 alone, and how many it has."""
    schedule = sdr(params, shared, np.arange(images) % n, n).schedule
    return sum(schedule.network(step) == W0 for step in range(schedule.steps)), schedule.steps


def run_cost(seconds: dict[str, list[float]], subnet: str, alone: int, steps: int, baseline_steps: int) -> dict:
    """Cost of a run over `baseline_steps` of the baseline: spread over the rounds."""
    whole = [alone * w + (steps - alone) * s for w, s in zip(seconds["W_0"], seconds[subnet])]
    return ratio(whole, [baseline_steps * s for s in seconds["baseline"]])


def table(seconds: dict, params: Sdr, shared: Common, images: int, subnets: list[int]) -> list[dict]:
    """Our row beside the paper's, one entry a number of sub-nets."""
    lines = []
    for n in subnets:
        paper = {"paper_hours": PAPER.get(n), "paper": PAPER[n] / PAPER[1] if n in PAPER else None}
        if n == 1:  # the baseline itself
            lines.append({"subnets": 1, "cost": 1.0, **paper})
            continue
        alone, steps = w0_steps(params, shared, images, n)
        cost = run_cost(seconds, f"sub-net of {n}", alone, steps, steps)
        lines.append({"subnets": n, "w0_share": alone / steps, "cost": cost["median"], "cost_spread": cost, **paper})
    return lines


def levers(seconds: dict, params: Sdr, shared: Common, images: int, n: int) -> list[dict]:
    """Cost of a run with n sub-nets for each setting of the levers."""
    lines = []
    for share in sorted({0.2, 0.4, params.w0_share}):
        alone, steps = w0_steps(params.model_copy(update={"w0_share": share}), shared, images, n)
        for views, bf16 in product((1, 2), (False, True)):
            cost = run_cost(seconds, lever(views, bf16, False), alone, steps, steps)["median"]
            how = {"w0_share": share, "distill_views": views, "teacher_bf16": bf16, "train_teacher": False}
            lines.append(how | {"epochs": params.epochs, "cost": cost})
    half = params.model_copy(update={"w0_share": 0.0, "epochs": params.epochs / 2})
    alone, steps = w0_steps(half, shared, images, n)
    full = w0_steps(params, shared, images, n)[1]
    for views in (1, 2):
        cost = run_cost(seconds, lever(views, False, True), alone, steps, full)["median"]
        how = {"w0_share": 0.0, "distill_views": views, "teacher_bf16": False, "train_teacher": True}
        lines.append(how | {"epochs": half.epochs, "cost": cost})
    return lines


def measure(args: argparse.Namespace) -> dict:
    """All measurements."""
    values, device, n = read_profile(args.profile, args.size, args.batch), torch.device(args.device), max(args.subnets)
    shared, params = common(values), Sdr(**values["sdr"])
    if n < 2 or n > shared.backbone.n_paths:
        raise SystemExit(f"{args.profile}: --subnets must have a number of 2 to {shared.backbone.n_paths}")
    job = sdr(params, shared, np.arange(args.images) % n, n)
    base = baseline(Pretrain(**values["pretrain"]), shared, args.images, args.images)
    base = replace(base, optimization=job.optimization)  # the same batch
    with ExitStack() as stack:
        stack.enter_context(determinism(job.compute.deterministic and device.type == "cuda"))
        runs = kinds(stack, base, job, args.subnets, device, values["data"]["side"])
        for run in runs.values():
            run()  # compiles
        seconds = by_turns(runs, args.rounds, args.warm, args.steps, device)
    ours = [f"sub-net of {k}" for k in args.subnets if k > 1]
    return {
        "profile": str(args.profile),
        "view": job.views.side,
        "batch": job.optimization.batch_size,
        "images": args.images,
        "rounds": args.rounds,
        "steps": args.steps,
        "compute": job.compute.on(device).model_dump(),
        "sdr": params.model_dump(exclude={"optimization"}),
        "seconds_per_step": {name: spread(values) for name, values in seconds.items()},
        "step_to_baseline": {name: ratio(values, seconds["baseline"]) for name, values in seconds.items()},
        "growth": {name: ratio(seconds[name], seconds[ours[0]]) for name in ours},  # to the fewest sub-nets
        "table": table(seconds, params, shared, args.images, args.subnets),
        "levers": levers(seconds, params, shared, args.images, n),
    }


def show(found: dict) -> None:
    """Print the table and the levers."""
    for name, over in found["step_to_baseline"].items():
        print(f"{name}: {over['median']:.3f} of a step of the baseline")
    print(f"{'sub-nets':>9} {'ours':>7} {'paper':>7}")
    for line in found["table"]:
        paper = f"{line['paper']:.2f}" if line["paper"] else "-"
        print(f"{line['subnets']:>9} {line['cost']:>7.2f} {paper:>7}")
    for line in found["levers"]:
        print(", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--profile", type=Path, default=Path("params.yaml"), help="a file of profiles/, or a complete one"
    )
    parser.add_argument("--size", type=int, help="side of a view; else the profile's")
    parser.add_argument("--batch", type=int, help="images a step; else the profile's")
    parser.add_argument(
        "--images", type=int, default=11_231, help="N, for the number of steps; by default the built-in corpus'"
    )
    parser.add_argument("--subnets", type=int, nargs="+", default=[1, 4, 16, 64, 256], help="rising")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--warm", type=int, default=1, help="steps at the start of a turn that are not timed")
    parser.add_argument("--steps", type=int, default=8, help="timed steps of a turn")
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    before = [round(x, 2) for x in os.getloadavg()]
    found = measure(args)
    show(found)
    if args.out:
        args.out.write_text(json.dumps(found | {"load_average_before": before, **facts(args.device)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
