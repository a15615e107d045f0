"""`sdr fit`: a classifier of labelled pictures on a frozen backbone, in timm's form."""

import argparse
import tempfile
from pathlib import Path

from sdr.cli import options
from sdr.cli.checks import check_directory, check_folder, check_ready, new_directory
from sdr.tasks.labelled import check_labelled

OPTION = "--backbone"


def add(commands) -> None:
    parser = commands.add_parser("fit", help="a classifier of labelled pictures on a frozen backbone")
    what = "what `route` or `export` wrote, another folder that timm loads, or timm:NAME"
    parser.add_argument("--backbone", required=True, metavar="NETWORK", help=what)
    options.add_images(parser, "labelled pictures: CLASS/*, {train,val,test}/CLASS/*, or lists in CSV files")
    options.add_directory(parser, ("onnx",))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    check_ready(args.backbone, OPTION)
    check_folder(args.images, "a sub-folder for each class, with its pictures")
    check_labelled(args.images)
    check_directory(args.out, args.force, onnx=args.onnx)
    from sdr.compare.ready import get_ready

    with new_directory(args.out, args.force) as out, tempfile.TemporaryDirectory() as folder:
        place = Path(folder, Path(args.backbone).name)  # by this name the card calls a network of timm's
        place.mkdir(exist_ok=True)
        facts = add_head(args, get_ready(args.backbone, OPTION, place), out)
    tell(args.out, facts)


def add_head(args: argparse.Namespace, backbone: Path, out: Path) -> dict:
    """Fit a classifier of `args.images` on a backbone and write it into `out`, the backbone's own folder maybe."""
    from sdr.base.ranks import pick_device
    from sdr.export.classifier import open_backbone
    from sdr.export.write_classifier import write_classifier
    from sdr.tasks.read_labelled import in_two_splits, read_labelled

    device = pick_device()
    side = open_backbone(backbone, device)[2]
    name, command = args.images.resolve().name, options.command_line()
    with tempfile.TemporaryDirectory() as folder:
        options.say(f"reading {args.images}")
        splits, classes, skipped = read_labelled(args.images, side, args.max_bad_fraction, Path(folder))
        options.tell_skipped(skipped)
        options.warn(*in_two_splits(splits))
        options.say(f"fitting {len(classes)} classes on {sum(map(len, splits.values())):,} images")
        return write_classifier(out, backbone, splits, classes, name, command, args.onnx, device)


def tell(out: Path, facts: dict) -> None:
    """Print how good the classifier is, and how to use it."""
    tested = "test" if "test_images" in facts else "validation"
    print(
        f"{facts[f'{tested}_accuracy']:.1f} % of {facts[f'{tested}_images']:,} {tested} images right; fitted on "
        f"{facts['images']:,}; temperature {facts['temperature']:.2f}, in the weights already"
    )
    print(f"{out}: timm.create_model('local-dir:{out}', pretrained=True) gives logits")
    print(f"next: sdr predict --model {out} --images FOLDER --out answers.csv")
