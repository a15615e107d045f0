"""`sdr inspect`: what a super-net holds, after checking its files."""

import argparse
from pathlib import Path

from sdr.cli.checks import check_supernet
from sdr.cli.options import SUPERNET


def add(commands) -> None:
    parser = commands.add_parser("inspect", help="what a super-net holds, after checking its files")
    parser.add_argument("supernet", type=Path, metavar="DIR", help=SUPERNET)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check_supernet(args.supernet)
    from sdr.base.ranks import pick_device
    from sdr.route.bundle import open_bundle
    from sdr.ssl.folder import count

    bundle = open_bundle(args.supernet, pick_device())
    trained, corpus = bundle.trained, bundle.seal["corpus"]
    sub, whole = count(trained.subnet(0)), count(trained.supernet())
    rows = {
        "sub-nets": f"{trained.n_subnets}, {sub:,} parameters each, planes {_list(trained.spec.subnet_widths)}",
        "super-net W_0": f"{whole:,} parameters, planes {_list(trained.spec.supernet_widths)}",
        "baseline": f"{count(bundle.baseline):,} parameters",
        "blocks a stage": f"{_list(trained.spec.layers)}, {trained.spec.block}",
        "images": f"{bundle.size} × {bundle.size} pixels",
        "corpus": f"{corpus['source']}, {corpus['n']:,} images, fingerprint {corpus['fingerprint'][:16]}",
        "clusters": f"{bundle.sizes.min():,} to {bundle.sizes.max():,} images",
        "statistics": "of common images: searches share computation"
        if trained.common
        else "of each sub-net's own cluster",
        "versions": ", ".join(f"{name} {version}" for name, version in bundle.seal["versions"].items()),
        "files": "all as sealed",
    }
    for name, value in rows.items():
        print(f"{name:>14}  {value}")


def _list(values) -> str:
    return "-".join(map(str, values))
