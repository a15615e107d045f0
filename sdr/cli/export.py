"""`sdr export`: one network of a super-net as a directory for timm."""

import argparse
from pathlib import Path

from sdr.cli import options
from sdr.cli.checks import check_directory, check_supernet, new_directory


def add(commands) -> None:
    parser = commands.add_parser("export", help="one network as a directory for timm")
    parser.add_argument("--supernet", type=Path, required=True, metavar="DIR", help=options.SUPERNET)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--subnet", dest="network", type=int, metavar="NUMBER", help="a sub-net")
    which.add_argument("--w0", dest="network", action="store_const", const="w0", help="the whole super-net")
    which.add_argument("--baseline", dest="network", action="store_const", const="baseline", help="the baseline")
    options.add_directory(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check_supernet(args.supernet)
    check_directory(args.out, args.force, onnx=args.onnx)
    from sdr.base.ranks import pick_device
    from sdr.export.write import write_backbone
    from sdr.route.bundle import open_bundle

    with new_directory(args.out, args.force) as out:
        bundle = open_bundle(args.supernet, pick_device())
        name = {"w0": "super-net W₀", "baseline": "baseline"}.get(args.network, f"sub-net {args.network}")
        extras, command = options.extras(args), options.command_line()
        write_backbone(out, bundle, args.network, name, extras, command=command, scored=True)
    print(f"{args.out}: timm.create_model('local-dir:{args.out}', pretrained=True)")
