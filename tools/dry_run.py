"""Try a big profile before days are spent on it: every stage for a few steps on fabricated images, and what the whole would take.

    python -m tools.dry_run [--profile profiles/imagenet-simsiam.yaml] [--steps 3] [--device cuda] [--target-device-tflops X]

Sizes of images and views, networks, heads and sub-nets are the profile's. The images are noise in ImageNet's layout, so no loss
or feature means anything. Predicted hours are step times measured here, at a batch that fits, times the number of steps of the
whole run: of this machine, one process. With `--target-device-tflops` they are floating-point operations, counted, over a rate
that you claim: arithmetic, no measurement. Everything is written to a temporary folder, which is removed.
"""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from sdr.base.errors import UserError, program
from sdr.base.params import load
from sdr.base.profiles import complete
from sdr.corpus.location import CORPUS
from tools.dry_facts import IMAGENET, count_facts
from tools.dry_pipeline import walk
from tools.dry_report import built, measured, show
from tools.fabricate_imagenet import ODD, WNIDS, fabricate
from tools.rules import SECTIONS, unknown, wrong

CPU_BATCH = 8


@program
def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    _check(args)
    with TemporaryDirectory(prefix="sdr-dry-run-") as name, environment(Path(name)) as folder:
        params = read_profile(args.profile, folder)
        if params["n_subnets"] == 1:
            raise UserError(
                f"{args.profile}: n_subnets is 1, which is the baseline alone; a dry run wants two at least"
            )
        device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        facts = count_facts(params, args.corpus_images)
        show({"profile": str(args.profile), **built(params, facts, args.corpus_images)})
        jpeg = fabricate(folder / "images/train", args.images, args.classes)
        batch = args.batch or (facts.baseline.batch if device.type == "cuda" else CPU_BATCH)
        params["data"], words = _source(params["data"], folder)
        print(
            f"fabricated: {args.images} images, {args.classes} classes, {jpeg / 1e3:.0f} kB on average; {words}",
            flush=True,
        )
        found = walk(params, folder, args.steps, batch, device)
        show(measured(params, facts, found, args.corpus_images, args.target_device_tflops))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--profile",
        type=Path,
        default=Path("profiles/imagenet-simsiam.yaml"),
        help="a file of profiles/, or a complete file of parameters",
    )
    parser.add_argument(
        "--steps", type=int, default=3, help="of the baseline, W_0 and sub-nets each; the first is not timed"
    )
    parser.add_argument("--images", type=int, default=64, help="to fabricate")
    parser.add_argument("--classes", type=int, default=4, help="to fabricate")
    parser.add_argument("--batch", type=int, help=f"images a step; else the profile's, or {CPU_BATCH} on a CPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="else a GPU if there is one")
    parser.add_argument("--corpus-images", type=int, default=IMAGENET, help="of the whole run (ImageNet's %(default)s)")
    parser.add_argument("--target-device-tflops", type=float, metavar="X", help="sustained by another device")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Raise UserError for numbers that make no sense."""
    least = {"steps": 2, "images": ODD + 1, "classes": 1, "batch": 2, "corpus_images": args.images}
    for name, minimum in least.items():
        value = getattr(args, name)
        if value is not None and value < minimum:
            raise UserError(f"--{name.replace('_', '-')} {value}: give {minimum} at least")
    if args.classes > min(len(WNIDS), args.images):
        raise UserError(f"--classes {args.classes}: give {min(len(WNIDS), args.images)} at most")
    if args.target_device_tflops is not None and not 0 < args.target_device_tflops < float("inf"):
        raise UserError(f"--target-device-tflops {args.target_device_tflops:g}: give a number above 0")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch finds no GPU here; leave it out to run on the CPU")
    if not args.profile.is_file():
        raise UserError(f"{args.profile}: not found")


@contextlib.contextmanager
def environment(folder: Path) -> Iterator[Path]:
    """Within the block everything that the project and the compiler write lands in `folder`, and images are read from there."""
    caches = {
        name: str(folder / name.lower()) for name in ("SDR_SCRATCH", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
    }
    ours = {CORPUS: str(folder / "images"), **caches}
    before = {name: os.environ.get(name) for name in (*ours, "DVC_STAGE", "DVC_ROOT")}
    for name in ("DVC_STAGE", "DVC_ROOT"):  # no stage's declarations, no repository
        os.environ.pop(name, None)
    os.environ.update(ours)
    try:
        yield folder
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def read_profile(profile: Path, folder: Path) -> dict[str, Any]:
    """Return all sections of a profile, validated as `make repro` does before anything runs.

    Raises:
        UserError: something is wrong with them.
    """
    (folder / "params.yaml").write_text(complete(profile), encoding="utf-8")
    with contextlib.chdir(folder):
        if mistakes := [*unknown(), *wrong()]:
            raise UserError("\n       ".join(mistakes).replace("params.yaml", str(profile)))
        return load(**SECTIONS)


def _source(data: Any, folder: Path) -> tuple[Any, str]:
    """The section `data` for the fabricated images, and how they are read, in words."""
    if data.source == "imagenet":
        return data, "read as the profile's source, imagenet"
    os.environ[CORPUS] = str(folder / "images/train")
    instead = "" if data.source == "folder" else f" instead of {data.source}"
    return data.model_copy(update={"source": "folder"}), f"read as source folder{instead}"


if __name__ == "__main__":
    main()
