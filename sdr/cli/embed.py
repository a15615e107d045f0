"""`sdr embed`: features of pictures by an exported network, as a NumPy archive."""

import argparse
import tempfile
from pathlib import Path

from sdr.base.shown import printable
from sdr.cli import options
from sdr.cli.checks import check_backbone, check_classes, check_output
from sdr.tasks.labelled import classes_of


def add(commands) -> None:
    parser = commands.add_parser("embed", help="features of pictures by an exported network, as a NumPy archive")
    parser.add_argument("--backbone", type=Path, required=True, metavar="DIR", help="what `route` or `export` wrote")
    options.add_images(parser, "folder of pictures; with a sub-folder a class these are labels")
    out = "features, paths; of a folder of class sub-folders labels and classes too"
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help=out)
    options.add_force(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check_output(args.out, args.force)
    check_backbone(args.backbone)
    check_classes(args.images, "pictures, or a sub-folder for each class")
    import numpy as np

    from sdr.base.outputs import output_file
    from sdr.base.ranks import pick_device
    from sdr.export.classifier import open_backbone
    from sdr.nets.embed import Embedding, embed
    from sdr.tasks.class_folders import read_class_folders
    from sdr.tasks.pictures import read_pictures

    device = pick_device()
    backbone, _, side = open_backbone(args.backbone, device)
    with tempfile.TemporaryDirectory() as folder:
        options.say(f"reading {args.images}")
        where = (args.images, side, args.max_bad_fraction, Path(folder, "images.npy"))
        if classes_of(args.images):
            found = read_class_folders(*where, fewest=1, least=0)
            options.warn(*found.remarks)
            images, paths, classes = found.images, found.paths, found.classes
            labels = {"labels": found.targets, "classes": np.array(classes)}
        else:
            images, paths, skipped = read_pictures(*where)
            options.tell_skipped(skipped)
            labels = {}
        options.say(f"features of {len(images):,} images")
        features = embed(backbone, images, Embedding(side=side, batch_size=256), device)
    with output_file(args.out) as partial, partial.open("wb") as file:
        np.savez(file, features=features, paths=np.array([printable(path) for path in paths]), **labels)
    known = f"{len(classes)} classes" if labels else "no class folders, so no labels"
    print(f"{args.out}: {features.shape[0]:,} × {features.shape[1]} features, {known}")
