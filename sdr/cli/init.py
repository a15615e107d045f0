"""`sdr init`: from folders of pictures to parameters that suit them, in a clone of the project."""

import argparse
import sys
from pathlib import Path

from sdr.base.errors import UserError
from sdr.cli.checks import check_folder
from sdr.cli.options import add_force


def add(commands) -> None:
    parser = commands.add_parser("init", help="in a clone: parameters that suit a folder of pictures, for `make repro`")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="the pictures to learn from")
    parser.add_argument(
        "--tasks",
        type=Path,
        metavar="FOLDER",
        help="a sub-folder for each task, train/CLASS/* and test/CLASS/*, or one",
    )
    parser.add_argument("--profile", default="default", metavar="NAME", help="of profiles/ (%(default)s)")
    what = "start from weights: timm:NAME, or a folder; writes pretrain.init and the backbone that fits"
    parser.add_argument("--from", dest="start", metavar="NETWORK", help=what)
    parser.add_argument("--no-trial", action="store_true", help="without an estimate of time, memory and disk")
    add_force(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if not Path("params.yaml").is_file() or not Path("tools/init.py").is_file():
        raise UserError(
            "params.yaml: not found here; `sdr init` sets up a clone: run it from the root of the repository"
        )
    check_folder(args.images, "pictures, in any sub-folders")
    if args.tasks:
        check_folder(args.tasks, "a sub-folder for each task")
    sys.path[:0] = [str(Path.cwd())]  # tools are no part of the installed package
    from tools.init import init

    init(args.images, args.tasks, args.profile, args.force, not args.no_trial, args.start)
