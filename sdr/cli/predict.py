"""`sdr predict`: what a classifier says of pictures, as a CSV file."""

import argparse
from pathlib import Path

from sdr.base.errors import UserError
from sdr.cli import options
from sdr.cli.checks import check_backbone, check_folder, check_output


def add(commands) -> None:
    parser = commands.add_parser("predict", help="classes and probabilities of pictures, as a CSV file")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="what `fit` wrote")
    options.add_images(parser, "folder of pictures, in any sub-folders")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.csv", help="file, class, probability, those of all classes"
    )
    options.add_force(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    config = check_backbone(args.model, "--model")
    names = config.get("label_names")
    if not isinstance(names, list) or not names or config.get("num_classes") != len(names):
        raise UserError(
            f"{args.model / 'config.json'}: no label_names: a backbone, not a classifier; make one of it with "
            f"`sdr fit --backbone {args.model} --images FOLDER --out DIR`"
        )
    check_folder(args.images, "pictures")
    check_output(args.out, args.force)
    from sdr.base.ranks import pick_device
    from sdr.export.predict import predict

    options.say(f"classifying the pictures of {args.images}")
    n, skipped = predict(args.model, names, args.images, args.max_bad_fraction, args.out, pick_device())
    options.tell_skipped(skipped)
    print(f"{args.out}: {n:,} pictures, {len(names)} classes")
