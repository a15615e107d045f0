"""`sdr route`: choose the network for labelled pictures, and export it; by default as the pipeline does."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sdr.base.errors import UserError
from sdr.cli import against, fit, options
from sdr.cli.checks import check_classes, check_directory, check_supernet, new_directory

if TYPE_CHECKING:  # imports that take seconds
    from sdr.route.search import Search

DEFAULT = "Without --method, --score, --prior and --candidates it chooses as the pipeline does by default."


def add(commands) -> None:
    parser = commands.add_parser(
        "route", help="choose the network for labelled pictures, and export it", epilog=DEFAULT
    )
    parser.add_argument("--supernet", type=Path, required=True, metavar="DIR", help=options.SUPERNET)
    options.add_images(parser, options.LABELLED)
    parser.add_argument("--method", choices=("exhaustive", "tree", "halving"), help="the search")
    parser.add_argument(
        "--score",
        choices=("knn", "logme", "hscore", "probe"),
        help="this one of features alone",
    )
    parser.add_argument("--prior", type=float, metavar="SHARE", help="share of the sub-nets to try")
    kinds = ("subnets", "subnets_all", "subnets_own", "baseline", "baseline_clusters", "baseline_own", "w0")
    what = f"what is chosen among, of {', '.join(kinds)}"
    parser.add_argument("--candidates", nargs="+", choices=kinds, metavar="KIND", help=what)
    options.add_directory(parser)
    what = "write the network with a classifier of these pictures, as `fit` does"
    parser.add_argument("--against", nargs="+", default=[], metavar="NETWORK", help=against.HELP)
    parser.add_argument("--classifier", action="store_true", help=what)
    parser.set_defaults(run=run)


CHOICE = "choice"  # in the output: what routing chose, where the verdict does not say to take it


def run(args: argparse.Namespace) -> None:
    if args.prior is not None and not 0 < args.prior <= 1:
        raise UserError(f"--prior {args.prior:g}: give a share above 0, up to 1")
    check_supernet(args.supernet)
    if args.classifier and args.program:
        raise UserError("--program is of a backbone without a classifier; leave it or --classifier out")
    check_classes(args.images)
    against.check_against(args.against)
    check_directory(args.out, args.force, onnx=args.onnx)
    from sdr.base.checkpoint import fingerprint
    from sdr.base.outputs import write_json
    from sdr.base.progress import Progress
    from sdr.base.ranks import pick_device
    from sdr.export.write import write_backbone
    from sdr.nets.embed import Embedding
    from sdr.route.bundle import open_bundle
    from sdr.route.default import KNN
    from sdr.route.result import in_words, promise, scored, write_result
    from sdr.route.search import Labelled, search
    from sdr.tasks.class_folders import read_class_folders, without_copies

    device = pick_device()
    with new_directory(args.out, args.force) as out, tempfile.TemporaryDirectory() as folder:
        ready = against.open_all(args.against, Path(folder), device)
        bundle = open_bundle(args.supernet, device)
        options.say(f"reading {args.images}")
        found = read_class_folders(args.images, bundle.size, args.max_bad_fraction, Path(folder, "images.npy"))
        found, copies = without_copies(found)
        options.warn(*found.remarks, *copies)
        task = Labelled(args.images.resolve().name, found.images, found.targets, len(found.classes), "top1")
        params, show = asked(args), Embedding(side=bundle.size, batch_size=256)
        parts = [
            params.model_dump(),
            KNN.model_dump(),
            bundle.seal["files"],
            found.paths,
            found.hashes,
            found.targets.tolist(),
            str(device),
        ]
        progress = Progress(fingerprint(stage="sdr route", parts=parts))
        options.say(f"routing by {len(found.paths):,} images")
        ranking = search(bundle.trained, bundle.baseline, task, params, KNN, show, bundle.clusters, 0, device, progress)
        route = write_result(out, bundle, task, ranking, params, KNN)
        if ready:
            options.say(f"comparing with {', '.join(ready)}")
            where = (args.images, found, KNN, args.max_bad_fraction, Path(folder), device)
            table = against.set_beside(ready, bundle, ranking.decision.choice, *where)
            write_json(out / "route.json", route | {"against": against.facts(table)})
        words = in_words(route, task.metric)
        choice, advised = ranking.decision.choice, ranking.decision.recommended
        title = f"{route['recommended']['name']}, recommended for {task.name}"
        extras, command = [] if args.classifier else options.extras(args), options.command_line()
        write_backbone(out, bundle, advised, title, extras, task.name, words, command)
        if choice != advised:
            (out / CHOICE).mkdir()
            title = f"{route['choice']['name']}, chosen for {task.name}"
            write_backbone(out / CHOICE, bundle, choice, title, (), task.name, words, command)
        if args.classifier:
            facts = fit.add_head(args, out, out)
    progress.remove()
    tell(args.out, route, scored(route, task.metric))
    if ready:
        against.show(table, promise(route))
    if args.classifier:
        fit.tell(args.out, facts)


def asked(args: argparse.Namespace) -> "Search":
    """The pipeline's default, but for what the command line says; a score that it names counts alone."""
    from sdr.route.default import ROUTE

    named = {name: getattr(args, name) for name in ("method", "score", "prior", "candidates")}
    said = {name: value for name, value in named.items() if value is not None}
    if args.score:
        said["selection"] = ROUTE.selection.model_copy(update={"also": []})
    return ROUTE.model_copy(update=said)


def tell(out: Path, route: dict, scores: str) -> None:
    """Print what is recommended, what the choice promises, and where both lie."""
    from sdr.route.result import promise

    advised, choice = route["recommended"], route["choice"]
    rows = {
        "verdict": route["verdict"],
        "network": advised["name"],
        "path": advised["path"],
        "statistics": advised["statistics"],
        "choice": None if choice == advised else f"{choice['name']}, in {out / CHOICE}",
        "gain": promise(route),
        "scores": scores,
        "folder": out,
        "to load it": f"timm.create_model('local-dir:{out}', pretrained=True)",
    }
    for name, value in rows.items():
        if value is not None:
            print(f"{name:<11} {value}")
