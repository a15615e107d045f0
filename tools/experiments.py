"""Run a set of experiments: what its table lacks, several at a time.

    python -m tools.experiments SET [--jobs N]       or: make experiments SET=table3 JOBS=2

Each experiment is DVC's: `dvc exp show` lists it, `dvc exp apply NAME` brings it into the workspace. Its row is in the table as soon as it
has finished, so an interrupted run goes on with the same command, and an unfinished training with its checkpoint. A row counts while code
and parameters are those of its commit; stages that another commit's experiment ran with the same inputs come from DVC's run cache.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from sdr.base.errors import UserError, program
from sdr.experiments.collect import CODE, collect, ended, finished, git, missing
from sdr.experiments.overrides import overrides, tasks_of
from sdr.experiments.pool import Pool
from sdr.experiments.sets import Experiment, read_set, targets

SCRATCH = Path(".scratch/experiments")


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="name of a file in experiments/")
    parser.add_argument("--jobs", type=int, default=1, help="experiments that run at a time")
    parser.add_argument("--keep", action="store_true", help="rows of other code or parameters count as finished too")
    parser.add_argument("--list", action="store_true", help="only say what is to run")
    args = parser.parse_args()
    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {args.jobs}")
    name, of_set = args.set, read_set(args.set)
    params = Path("params.yaml").read_text(encoding="utf-8")
    options = {
        e.name: overrides(e, params) for e in missing(name, of_set)
    }  # a misspelt parameter is told before anything runs
    collect(name, of_set, finished(missing(name, of_set, args.keep)))  # those that ended as the last command was killed
    to_run = missing(name, of_set, args.keep)
    print(f"{name}: {len(to_run)} experiments to run, {len(of_set.rows) * len(of_set.seeds)} rows in all", flush=True)
    if args.list:
        print(*(experiment.name for experiment in to_run), sep="\n")
    elif to_run:
        if changed := git("status", "--porcelain", "--", *CODE):
            raise UserError(f"commit your changes first, experiments belong to a commit:\n{changed}")
        check_plots()
        # An experiment's folder is temporary: its checkpoints must lie elsewhere.
        os.environ.setdefault("SDR_SCRATCH", str(SCRATCH.absolute()))
        pool = Pool(args.jobs, lambda e: command(e, options[e.name], tasks_of(e, params)), SCRATCH / "logs")
        # Whatever is committed meanwhile: a row names the commit that its experiment began with.
        earlier = finished(to_run, any_code=True)
        pool.run(to_run, lambda e: collect(name, of_set, ended(e, earlier)), name)


def command(experiment: Experiment, options: list[str], tasks: list[str]) -> list[str]:
    """What runs an experiment in a folder of its own."""
    run = [sys.executable, "-m", "dvc", "--wait-for-lock", "exp", "run", "--temp", "--name", experiment.name]
    return [*run, *options, *targets(experiment, tasks)]


def check_plots() -> None:
    """DVC ends an experiment with a look at the folders of figures that `plots` in dvc.yaml names, and fails where its cache lacks one.

    Raises:
        UserError: it would, as in a clone that has run and pulled nothing yet.
    """
    from ruamel.yaml import YAML

    plots = YAML(typ="safe").load(Path("dvc.yaml").read_text(encoding="utf-8")).get("plots", ())
    figures = [name for name in plots if isinstance(name, str)]
    status = subprocess.run([sys.executable, "-m", "dvc", "data", "status", "--json"], capture_output=True, text=True)
    if status.returncode:
        raise UserError(f"dvc data status: {status.stderr.strip()}")
    for out in json.loads(status.stdout).get("not_in_cache", ()):
        if any(f"{name}/".startswith(out.rstrip("/") + "/") for name in figures):
            raise UserError(
                f"dvc.lock names {out}, which DVC's cache lacks, so that no experiment could end: `make repro` or `dvc pull` first"
            )


if __name__ == "__main__":
    main()
