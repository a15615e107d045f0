"""What routing costs at a size that was not run: multiply-adds from the networks' shapes, images a second as measured here.

    python -m benchmarks.routing_cost profiles/imagenet-simsiam.yaml --images 75750 --classes 101

Counted: `exhaustive`; `tree`; and `halving` where no leader ever stands out, the most it can cost, with the sub-nets that
stay in the race sharing nothing but the stem after the first round. Measured: images a second of one sub-net, float32.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from ruamel.yaml import YAML
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import machine
from sdr.base.profiles import complete
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.simsiam import SimSiam


def part_macs(backbone: torch.nn.Module, x: torch.Tensor) -> list[int]:
    """Multiply-adds of the stem and of each stage for the images x."""
    counts = []
    for part in (
        torch.nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool),
        *(getattr(backbone, f"layer{stage}") for stage in range(1, 5)),
    ):
        with FlopCounterMode(display=False) as counter:
            x = part(x)
        counts.append(counter.get_total_flops() // 2)
    return counts


def halving(parts: list[int], tree: int, n_subnets: int, images: int, first: int, growth: float, keep: float) -> int:
    """The most that the search costs: images that are new in a round, times who is still in the race."""
    seen, left, total = 0, n_subnets, 0
    upto = min(images, first)
    while True:
        each = tree if left == n_subnets else parts[0] + left * sum(parts[1:])
        total += (upto - seen) * each
        if left == 1 or upto == images:
            return total
        seen, left = upto, max(1, round(keep * left))
        upto = min(images, int(upto * growth))


def images_per_second(backbone: torch.nn.Module, size: int, batch: int, device: str) -> float:
    """Median of five batches after a warm-up."""
    x = torch.randn(batch, 3, size, size, device=device).to(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(7):
            started = time.perf_counter()
            backbone(x)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
    return batch / sorted(times[2:])[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    params = YAML(typ="safe").load(complete(args.profile))
    spec, size, n = Backbone(**params["backbone"]), params["embed"]["side"], params["n_subnets"]
    backbone = SimSiam(spec, spec.subnet_widths, Heads(**params["heads"])).backbone.eval()
    parts = part_macs(backbone, torch.zeros(1, 3, size, size))
    tree = sum(macs * min(n, spec.groups**depth) for depth, macs in enumerate(parts))
    schedule = params["route"]["halving"]
    first = max(schedule["least"], schedule["per_class"] * args.classes)
    race = halving(parts, tree, n, args.images, first, schedule["growth"], schedule["keep"])
    backbone = backbone.to(args.device, memory_format=torch.channels_last)
    result = {
        "profile": str(args.profile),
        "images": args.images,
        "classes": args.classes,
        "n_subnets": n,
        "gmacs_per_image": {"one": sum(parts) / 1e9, "exhaustive": n * sum(parts) / 1e9, "tree": tree / 1e9},
        "pmacs": {
            "exhaustive": args.images * n * sum(parts) / 1e15,
            "tree": args.images * tree / 1e15,
            "halving": race / 1e15,
        },
        "images_per_second": images_per_second(backbone, size, args.batch, args.device),
        **machine(args.device),
    }
    print(json.dumps(result, indent=2))
    if args.output:
        args.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
