"""Run a set of experiments: queue what is missing, start workers, wait.

    python -m tools.experiments SET [--jobs N]       or: make experiments SET=table3 JOBS=2

Each experiment is DVC's: `dvc exp show` lists it, `dvc exp apply NAME` brings it into the workspace. What another
experiment has computed from the same inputs is taken from the run cache. An interrupted run goes on with the same command:
finished experiments stay, an unfinished training resumes from its checkpoint. An experiment counts as long as neither
code nor parameters have changed since the commit that it was run from.
"""

import argparse
import re
import subprocess
import sys
import time

from sdr.errors import UserError, program
from sdr.report.experiment_set import Experiment, experiments, read_set
from tools.experiment_refs import INPUTS, finished, git

_LOOK = 5  # seconds between looks at what has finished, which is cheap ...
_ASK = 60  # ... and between questions to DVC, which take seconds of a core


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="name of a file in experiments/")
    parser.add_argument("--jobs", type=int, default=1, help="experiments that run at a time")
    parser.add_argument("--list", action="store_true", help="only say which have finished")
    args = parser.parse_args()
    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {args.jobs}")
    wanted = {e.name: e for e in experiments(read_set(args.set))}
    missing = {name: e for name, e in wanted.items() if name not in finished(wanted)}
    print(f"{args.set}: {len(wanted)} experiments, {len(missing)} to run", flush=True)
    if args.list:
        print(*missing, sep="\n")
    elif missing:
        if changed := git("status", "--porcelain", "--", *INPUTS):
            raise UserError(f"commit your changes first, experiments belong to a commit:\n{changed}")
        run(missing, args.jobs)
    if not args.list:
        print("`make tables` makes the tables")


def run(missing: dict[str, Experiment], jobs: int) -> None:
    """Queue, start, wait.

    Raises:
        UserError: some failed.
    """
    states = queue_states()
    for name, experiment in missing.items():
        state = states.get(name)
        if state == "Failed" or state == "Success":  # of another commit
            dvc("queue", "remove", name)
        if state not in ("Queued", "Running"):
            dvc("exp", "run", "--queue", "--name", name, *overrides(experiment), *experiment.targets)
    dvc("queue", "start", "--jobs", str(jobs))
    try:
        wait(missing)
    except KeyboardInterrupt:
        dvc("queue", "stop", "--kill")
        raise
    finally:
        if not set(missing) - finished(missing):
            dvc("queue", "stop")


def wait(missing: dict[str, Experiment]) -> None:
    """Wait until all have finished, one way or the other; a line for each."""
    began, asked, done, failed = time.monotonic(), time.monotonic(), set(), set()
    while len(done | failed) < len(missing):
        time.sleep(_LOOK)
        for name in sorted(finished(missing) - done):
            done.add(name)
            print(f"{len(done)}/{len(missing)} {name} ({(time.monotonic() - began) / 60:.0f} min)", flush=True)
        if time.monotonic() - asked > _ASK:
            asked, states = time.monotonic(), queue_states()
            for name in sorted(set(missing) - done - failed):
                if states.get(name) == "Failed":
                    failed.add(name)
                    tail = "\n".join(dvc("queue", "logs", name).splitlines()[-5:])
                    print(f"failed: {name}\n{tail}", file=sys.stderr, flush=True)
            if not {"Queued", "Running"} & {states.get(name) for name in set(missing) - done - failed} - {None}:
                failed |= set(missing) - done - finished(missing) - failed
    if failed:
        raise UserError(f"{len(failed)} of {len(missing)} failed ({', '.join(sorted(failed))}): `dvc queue logs NAME`; the same command runs them again")


def overrides(experiment: Experiment) -> list[str]:
    """What `dvc exp run` is told of an experiment's parameters."""
    from ruamel.yaml import YAML

    with open("params.yaml") as file:
        params = YAML(typ="safe").load(file)
    options = []
    for name, value in experiment.changes.items():
        added = "" if _has(params, name) else "+"
        options += ["--set-param", f"{added}{name}={_literal(value)}"]
    return options


def _has(params: dict, name: str) -> bool:
    for key in name.split("."):
        if not isinstance(params, dict) or key not in params:
            return False
        params = params[key]
    return True


def _literal(value: object) -> str:
    """In the grammar of overrides, Hydra's."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_literal(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_literal, value)) + "]"
    return "null" if value is None else str(value)


def queue_states() -> dict[str, str]:
    """Name → Queued, Running, Success or Failed."""
    found = {}
    for line in dvc("queue", "status").splitlines():
        if match := re.match(r"^(\S{7,})\s+(\S+)\s.*\b(Queued|Running|Success|Failed)\s*$", line):
            found[match[2]] = match[3]
    return found


def dvc(*command: str) -> str:
    """Run DVC; return what it says."""
    result = subprocess.run([sys.executable, "-m", "dvc", *command], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"dvc {' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


if __name__ == "__main__":
    main()
