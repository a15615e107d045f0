"""Options that several commands have."""

import argparse
import shlex
import sys
from pathlib import Path

SUPERNET = "directory of a trained super-net, such as `artifacts`: sdrnet, calibration, backbones, clusters"
LABELLED = "folder of labelled pictures: a sub-folder a class"
EXTRAS = ("onnx", "program")


def add_images(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help=what)
    parser.add_argument(
        "--max-bad-fraction",
        type=share,
        default=0.01,
        metavar="SHARE",
        help="of files that may be unreadable (%(default)s)",
    )


def add_directory(parser: argparse.ArgumentParser, extras: tuple[str, ...] = EXTRAS) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    add_force(parser)
    if "onnx" in extras:
        parser.add_argument("--onnx", action="store_true", help="write model.onnx too")
    if "program" in extras:
        parser.add_argument("--program", action="store_true", help="write model.pt2, a torch.export program, too")


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace what is there")


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: give a share, from 0 to 1")
    return value


def extras(args: argparse.Namespace) -> list:
    return [name for name in EXTRAS if getattr(args, name, False)]


def command_line() -> str:
    return shlex.join(["sdr", *sys.argv[1:]])


def say(stage: str) -> None:
    """Name a stage on standard error, a line each, where no progress bar is shown: piped, in a log."""
    if not sys.stderr.isatty():
        print(stage, file=sys.stderr, flush=True)


def warn(*remarks: str) -> None:
    """Say on standard error what is to be known of the pictures."""
    for remark in remarks:
        print(f"warning: {remark}", file=sys.stderr)


def tell_skipped(skipped: list[str]) -> None:
    """Say what could not be read and was left out."""
    if skipped:
        print(f"left out, since they cannot be read: {len(skipped):,} files, such as {skipped[0]}", file=sys.stderr)
