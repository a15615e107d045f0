"""`sdr route`: choose the sub-net for labelled pictures, and export it."""

import argparse
import tempfile
from pathlib import Path

from sdr.base.errors import UserError
from sdr.cli import against, fit, options
from sdr.cli.checks import check_classes, check_directory, check_supernet, new_directory


def add(commands) -> None:
    parser = commands.add_parser("route", help="choose the sub-net for labelled pictures, and export it")
    parser.add_argument("--supernet", type=Path, required=True, metavar="DIR", help=options.SUPERNET)
    options.add_images(parser, options.LABELLED)
    parser.add_argument(
        "--method", choices=("exhaustive", "tree", "halving"), default="exhaustive", help="the search (%(default)s)"
    )
    parser.add_argument(
        "--score", choices=("knn", "logme", "hscore", "probe"), default="knn", help="of features (%(default)s)"
    )
    parser.add_argument(
        "--prior", type=float, default=1.0, metavar="SHARE", help="share of the sub-nets to try (%(default)s)"
    )
    options.add_directory(parser)
    what = "write the sub-net with a classifier of these pictures, as `fit` does"
    parser.add_argument("--against", nargs="+", default=[], metavar="NETWORK", help=against.HELP)
    parser.add_argument("--classifier", action="store_true", help=what)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if not 0 < args.prior <= 1:
        raise UserError(f"--prior {args.prior:g}: give a share above 0, up to 1")
    check_supernet(args.supernet)
    if args.classifier and args.program:
        raise UserError("--program is of a backbone without a classifier; leave it or --classifier out")
    check_classes(args.images)
    against.check_against(args.against)
    check_directory(args.out, args.force, onnx=args.onnx)
    from sdr.base.checkpoint import fingerprint
    from sdr.base.outputs import write_json
    from sdr.base.ranks import pick_device
    from sdr.evaluate.knn import Knn
    from sdr.export.write import write_backbone
    from sdr.nets.embed import Embedding
    from sdr.route.bundle import open_bundle
    from sdr.route.choose import Selection
    from sdr.route.progress import Progress
    from sdr.route.race import Halving
    from sdr.route.result import in_words, write_result
    from sdr.route.search import Labelled, Search, search
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
        params = Search(
            method=args.method,
            score=args.score,
            prior=args.prior,
            top_m=1,
            halving=Halving(per_class=8, least=64, growth=2.0, keep=0.5),
            candidates=["subnets"],
            selection=Selection(also=[], combine="rank", prior=0.0, rule="best", margin=1.0, folds=5),
        )
        knn, show = Knn(k=20, temperature=0.07), Embedding(side=bundle.size, batch_size=256)
        parts = [params.model_dump(), bundle.seal["files"], found.paths, found.hashes, found.targets.tolist()]
        progress = Progress(fingerprint(stage="sdr route", parts=parts))
        options.say(f"routing by {len(found.paths):,} images")
        ranking = search(bundle.trained, bundle.baseline, task, params, knn, show, bundle.clusters, 0, device, progress)
        route = write_result(out, bundle, task, ranking, params, knn)
        if ready:
            options.say(f"comparing with {', '.join(ready)}")
            where = (args.images, found, knn, args.max_bad_fraction, Path(folder), device)
            others = against.set_beside(ready, bundle, route["subnet"], *where)
            write_json(out / "route.json", route | {"against": against.facts(*others)})
        words = in_words(route, task.metric)
        title = f"{route['choice']['name']}, chosen for {task.name}"
        extras, command = [] if args.classifier else options.extras(args), options.command_line()
        write_backbone(out, bundle, ranking.decision.choice, title, extras, task.name, words, command)
        if args.classifier:
            facts = fit.add_head(args, out, out)
    progress.remove()
    print(f"{route['choice']['name']} (of {bundle.trained.n_subnets} sub-nets); {words}")
    if ready:
        against.show(*others)
    if args.classifier:
        fit.tell(args.out, facts)
        return
    print(f"{args.out}: timm.create_model('local-dir:{args.out}', pretrained=True)")
