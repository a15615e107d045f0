"""`sdr embed`: features of pictures by an exported network, as a NumPy archive."""

import argparse
import tempfile
from pathlib import Path

from sdr.cli import options
from sdr.cli.checks import check_backbone, check_folder, check_output


def add(commands) -> None:
    parser = commands.add_parser("embed", help="features of pictures by an exported network, as a NumPy archive")
    parser.add_argument("--backbone", type=Path, required=True, metavar="DIR", help="what `route` or `export` wrote")
    options.add_images(parser, options.LABELLED)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="features, labels, classes, paths")
    options.add_force(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check_output(args.out, args.force)
    check_backbone(args.backbone)
    check_folder(args.images, "a sub-folder for each class, with its pictures")
    import numpy as np
    import timm

    from sdr.base.outputs import output_file
    from sdr.base.ranks import pick_device
    from sdr.nets.embed import Embedding, embed
    from sdr.tasks.class_folders import read_class_folders

    device = pick_device()
    backbone = timm.create_model(f"local-dir:{args.backbone}", pretrained=True).eval().to(device)
    size = backbone.pretrained_cfg["input_size"][-1]
    with tempfile.TemporaryDirectory() as folder:
        images, targets, classes, paths = read_class_folders(
            args.images, size, args.max_bad_fraction, Path(folder, "images.npy")
        )
        features = embed(backbone, images, Embedding(side=size, batch_size=256), device)
    with output_file(args.out) as partial, partial.open("wb") as file:
        np.savez(file, features=features, labels=targets, classes=np.array(classes), paths=np.array(paths))
    print(f"{args.out}: {features.shape[0]:,} × {features.shape[1]} features, {len(classes)} classes")
