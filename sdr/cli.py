"""The command `sdr`: what people do with a trained super-net, outside of the pipeline too.

Each command is a thin call into the functions that the stages call.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sdr.base.errors import UserError, program

if TYPE_CHECKING:  # imports that take seconds stay inside the commands
    from sdr.route.bundle import Bundle

SUPERNET = "directory of a trained super-net, such as `artifacts`: sdrnet, calibration, baseline, clusters"
IMAGES = "folder of labelled pictures: a sub-folder a class"


@program
def main() -> None:
    args = _parser().parse_args()
    args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sdr", description="Scalable Dynamic Routing: use a trained super-net.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    inspect = commands.add_parser("inspect", help="what a super-net holds, after checking its files")
    inspect.add_argument("supernet", type=Path, metavar="DIR", help=SUPERNET)
    inspect.set_defaults(run=_inspect)

    route = commands.add_parser("route", help="choose the sub-net for labelled pictures, and export it")
    route.add_argument("--supernet", type=Path, required=True, metavar="DIR", help=SUPERNET)
    _add_images(route)
    route.add_argument(
        "--method", choices=("exhaustive", "tree", "halving"), default="exhaustive", help="the search (%(default)s)"
    )
    route.add_argument("--score", choices=("knn", "logme", "hscore"), default="knn", help="of features (%(default)s)")
    route.add_argument(
        "--prior", type=float, default=1.0, metavar="SHARE", help="share of the sub-nets to try (%(default)s)"
    )
    _add_output(route)
    route.set_defaults(run=_route)

    export = commands.add_parser("export", help="one network as a directory for timm")
    export.add_argument("--supernet", type=Path, required=True, metavar="DIR", help=SUPERNET)
    which = export.add_mutually_exclusive_group(required=True)
    which.add_argument("--subnet", dest="network", type=int, metavar="NUMBER", help="a sub-net")
    which.add_argument("--w0", dest="network", action="store_const", const="w0", help="the whole super-net")
    which.add_argument("--baseline", dest="network", action="store_const", const="baseline", help="the baseline")
    _add_output(export)
    export.set_defaults(run=_export)

    embed = commands.add_parser("embed", help="features of pictures by an exported network, as a NumPy archive")
    embed.add_argument("--backbone", type=Path, required=True, metavar="DIR", help="what `route` or `export` wrote")
    _add_images(embed)
    embed.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="features, labels, classes, paths")
    embed.add_argument("--force", action="store_true", help="replace what is there")
    embed.set_defaults(run=_embed)
    return parser


def _add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help=IMAGES)
    parser.add_argument(
        "--max-bad-fraction",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="of files that may be unreadable (%(default)s)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--onnx", action="store_true", help="write model.onnx too")
    parser.add_argument("--program", action="store_true", help="write model.pt2, a torch.export program, too")


def _inspect(args: argparse.Namespace) -> None:
    bundle = _open(args.supernet)
    trained, corpus = bundle.trained, bundle.seal["corpus"]
    from sdr.ssl.folder import count

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


def _route(args: argparse.Namespace) -> None:
    from sdr.base.checkpoint import fingerprint
    from sdr.base.ranks import pick_device
    from sdr.evaluate.knn import Knn
    from sdr.export.write import write_backbone
    from sdr.nets.embed import Embedding
    from sdr.route.progress import Progress
    from sdr.route.race import Halving
    from sdr.route.result import in_words, write_result
    from sdr.route.search import Labelled, Search, search
    from sdr.tasks.class_folders import read_class_folders

    if not 0 < args.prior <= 1:
        raise UserError(f"--prior {args.prior:g}: give a share above 0, up to 1")
    with _new_directory(args.out, args.force) as out, tempfile.TemporaryDirectory() as folder:
        bundle = _open(args.supernet)
        images, targets, classes, paths = read_class_folders(
            args.images, bundle.size, args.max_bad_fraction, Path(folder, "images.npy")
        )
        task = Labelled(args.images.resolve().name, images, targets, len(classes), "top1")
        params = Search(
            method=args.method,
            score=args.score,
            prior=args.prior,
            top_m=1,
            halving=Halving(per_class=8, least=64, growth=2.0, keep=0.5),
        )
        knn, show = Knn(k=20, temperature=0.07), Embedding(size=bundle.size, batch_size=256)
        parts = [params.model_dump(), bundle.seal["files"], paths, targets.tolist()]
        progress = Progress(fingerprint(stage="sdr route", parts=parts))
        ranking = search(
            bundle.trained, bundle.baseline, task, params, knn, show, bundle.clusters, 0, pick_device(), progress
        )
        route = write_result(out, bundle, task, ranking, params, knn)
        words = in_words(route, task.metric)
        title = f"sub-net {route['subnet']}, chosen for {task.name}"
        write_backbone(out, bundle, route["subnet"], title, _extras(args), task.name, words, _command())
    progress.remove()
    print(f"sub-net {route['subnet']} ({route['path']}) of {bundle.trained.n_subnets}; {words}")
    print(f"{args.out}: timm.create_model('local-dir:{args.out}', pretrained=True)")


def _export(args: argparse.Namespace) -> None:
    from sdr.export.scores import evaluated_scores
    from sdr.export.write import write_backbone

    with _new_directory(args.out, args.force) as out:
        bundle = _open(args.supernet)
        name = {"w0": "super-net W₀", "baseline": "baseline"}.get(args.network, f"sub-net {args.network}")
        scores = evaluated_scores(bundle, args.network)
        write_backbone(out, bundle, args.network, name, _extras(args), command=_command(), scores=scores)
    print(f"{args.out}: timm.create_model('local-dir:{args.out}', pretrained=True)")


def _embed(args: argparse.Namespace) -> None:
    import numpy as np
    import timm

    from sdr.base.outputs import output_file
    from sdr.base.ranks import pick_device
    from sdr.nets.embed import Embedding, embed
    from sdr.tasks.class_folders import read_class_folders

    if args.out.exists() and not args.force:
        raise UserError(f"{args.out}: is there already; give another name, or --force to replace it")
    for file in ("config.json", "model.safetensors"):
        if not (args.backbone / file).is_file():
            raise UserError(
                f"{args.backbone / file}: not found; --backbone takes what `sdr route` or `sdr export` wrote"
            )
    device = pick_device()
    backbone = timm.create_model(f"local-dir:{args.backbone}", pretrained=True).eval().to(device)
    size = backbone.pretrained_cfg["input_size"][-1]
    with tempfile.TemporaryDirectory() as folder:
        images, targets, classes, paths = read_class_folders(
            args.images, size, args.max_bad_fraction, Path(folder, "images.npy")
        )
        features = embed(backbone, images, Embedding(size=size, batch_size=256), device)
    with output_file(args.out) as partial, partial.open("wb") as file:
        np.savez(file, features=features, labels=targets, classes=np.array(classes), paths=np.array(paths))
    print(f"{args.out}: {features.shape[0]:,} × {features.shape[1]} features, {len(classes)} classes")


def _open(directory: Path) -> "Bundle":
    from sdr.base.ranks import pick_device
    from sdr.route.bundle import open_bundle

    return open_bundle(directory, pick_device())


@contextmanager
def _new_directory(path: Path, force: bool) -> Iterator[Path]:
    """An empty directory that becomes `path` if all goes well; refuse to replace one unless `force`."""
    from sdr.base.outputs import output_dir

    if path.exists() and not force:
        raise UserError(f"{path}: is there already; give another directory, or --force to replace it")
    if path.exists() and not _ours(path):
        raise UserError(f"{path}: --force replaces only what this command wrote, and there is something else")
    with output_dir(path) as out:
        yield out


def _ours(path: Path) -> bool:
    return path.is_dir() and (
        not any(path.iterdir()) or (path / "config.json").is_file() and (path / "README.md").is_file()
    )


def _extras(args: argparse.Namespace) -> list:
    return [name for name in ("onnx", "program") if getattr(args, name)]


def _command() -> str:
    return shlex.join(["sdr", *sys.argv[1:]])


def _list(values) -> str:
    return "-".join(map(str, values))
