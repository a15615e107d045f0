"""`sdr adapt`: train the pipeline's baseline on with the corpus images nearest to a task's pictures, and export it."""

import argparse
import tempfile
from pathlib import Path

from sdr.base.errors import UserError
from sdr.cli import options
from sdr.cli.checks import check_classes, check_directory, check_folder, new_directory

NEEDED = ("data", "features", "baseline", "backbones")


def add(commands) -> None:
    parser = commands.add_parser(
        "adapt",
        help="train the baseline on with the corpus images nearest to a task's pictures, and export it",
        epilog="It runs where the pipeline ran: what it does not say stands in params.yaml there.",
    )
    options.add_images(parser, "folder of the task's training pictures, in any sub-folders; no label is read")
    what = f"what the pipeline made, {', '.join(NEEDED)} in it (%(default)s)"
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), metavar="DIR", help=what)
    what = "corpus images to train on, at most (%(default)s)"
    parser.add_argument("--nearest", type=int, default=2000, metavar="N", help=what)
    parser.add_argument("--steps", type=int, default=1000, metavar="N", help="optimizer steps (%(default)s)")
    what = "peak learning rate, × batch size / 256 (%(default)s)"
    parser.add_argument("--lr", type=float, default=0.2, metavar="RATE", help=what)
    options.add_directory(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if args.nearest < 2 or args.steps < 1:
        raise UserError("--nearest must be at least 2, --steps at least 1")
    if not 0 < args.lr < float("inf"):
        raise UserError(f"--lr {args.lr:g}: give a number above 0")
    check_folder(args.artifacts, ", ".join(NEEDED))
    check_classes(args.images, "pictures, in any sub-folders")
    check_directory(args.out, args.force, onnx=args.onnx)

    from sdr.base.params import load
    from sdr.base.ranks import pick_device
    from sdr.export.write_adapted import write_adapted
    from sdr.tasks.pictures import read_pictures
    from sdr.train.adapt import RECIPE, Adapt, Recipe, adapt

    recipe = Recipe.of(load(**RECIPE))
    wanted = Adapt(images=args.nearest, steps=args.steps, lr=args.lr)
    with new_directory(args.out, args.force) as out, tempfile.TemporaryDirectory() as folder:
        options.say(f"reading {args.images}")
        where = (args.images, recipe.embed.side, args.max_bad_fraction, Path(folder, "images.npy"))
        images, _, skipped = read_pictures(*where)
        options.tell_skipped(skipped)
        options.say(f"training {args.steps:,} steps on what is nearest to {len(images):,} pictures")
        found = adapt(args.artifacts, images, wanted, recipe, pick_device())
        task, command = args.images.resolve().name, options.command_line()
        write_adapted(out, found, wanted, recipe, task, options.extras(args), command)
    found.checkpoints.remove()
    print(f"{args.out}: the baseline, trained on with {len(found.rows):,} corpus images")
    print(f"to load it  timm.create_model('local-dir:{args.out}', pretrained=True)")
