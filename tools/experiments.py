"""Run a set of experiments: queue what is missing, start workers, wait.

    python -m tools.experiments SET [--jobs N]       or: make experiments SET=table3 JOBS=2

Each experiment is DVC's: `dvc exp show` lists it, `dvc exp apply NAME` brings it into the workspace. What another
experiment has computed from the same inputs is taken from the run cache. An interrupted run goes on with the same command:
finished experiments stay, an unfinished training resumes from its checkpoint. An experiment counts as long as
running it now would compute the same (tools/experiment_refs.py).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress

from sdr.base.errors import UserError, program
from sdr.experiments.measured import FOLDER
from sdr.experiments.sets import Experiment, experiments, read_set
from tools.experiment_refs import CODE, commits, parse
from tools.git import git
from tools.kept_lines import without_line

_LOOK = 5  # seconds between looks at what has finished, which is cheap ...
_ASK = 60  # ... and between questions to DVC, which take seconds of a core
_PATIENCE = 20  # seconds that an interrupted experiment is given to end ...
_ATTEMPTS = 6  # ... before it is interrupted again, so many times
_LEAVE = 60  # seconds that idle workers are given to go, on a busy machine
_TAIL = 15  # lines of a failed experiment's log
# When two workers end a stage at once, one may find the other's entry of the run cache half written, and delete it as broken.
_DISTURBED = re.compile(r"No such file or directory: '.*[/\\]runs[/\\].*\.tmp'")
_AGAIN = 3  # times that such an experiment is run again, most of its stages from the run cache; and that workers are started again


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="name of a file in experiments/")
    parser.add_argument("--jobs", type=int, default=1, help="experiments that run at a time")
    parser.add_argument("--only-new", action="store_true", help="leave out those whose lines the committed table has")
    parser.add_argument("--list", action="store_true", help="only say which have finished")
    args = parser.parse_args()
    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {args.jobs}")
    found = read_set(args.set)
    wanted = {e.name: e for e in experiments(found)}
    there = set(commits(wanted.values()))
    if args.only_new:
        there |= set(wanted) - without_line(found, FOLDER / f"{args.set}.csv")
    missing = {name: e for name, e in wanted.items() if name not in there}
    print(f"{args.set}: {len(wanted)} experiments, {len(missing)} to run", flush=True)
    if args.list:
        print(*missing, sep="\n")
    elif missing:
        if changed := git("status", "--porcelain", "--", "params.yaml", "dvc.yaml", *CODE):
            raise UserError(f"commit your changes first, experiments belong to a commit:\n{changed}")
        check_plots()
        run_all(missing, args.jobs)
    if not args.list:
        print("`make tables` makes the tables")


def check_plots() -> None:
    """DVC ends an experiment with a look at the folders of figures that `plots` in dvc.yaml names, and fails where its cache lacks one.

    Raises:
        UserError: it would, as in a clone that has run and pulled nothing yet.
    """
    with open("dvc.yaml") as file:
        figures = [name for name in parse(file.read()).get("plots", ()) if isinstance(name, str)]
    for out in json.loads(dvc("data", "status", "--json")).get("not_in_cache", ()):
        if any(f"{name}/".startswith(out.rstrip("/") + "/") for name in figures):
            raise UserError(
                f"dvc.lock names {out}, which DVC's cache lacks, so that no experiment could end: `make repro` or `dvc pull` first"
            )


def run_all(missing: dict[str, Experiment], jobs: int) -> None:
    """Run experiments; those in which two of DVC's workers disturbed each other once more.

    Raises:
        UserError: some failed, or nobody runs them any more.
    """
    failed, again = set(), missing
    for _ in range(1 + _AGAIN):
        logs = run(again, jobs)
        again = {name: missing[name] for name, log in logs.items() if _DISTURBED.search(log)}
        failed |= set(logs) - set(again)
        if not again:
            break
        print(f"again, two of DVC's workers disturbed each other: {', '.join(again)}", file=sys.stderr, flush=True)
    if failed := failed | set(again):
        names = ", ".join(sorted(failed))
        raise UserError(
            f"{len(failed)} of {len(missing)} failed ({names}): `dvc queue logs NAME`; the same command runs them again"
        )


def run(missing: dict[str, Experiment], jobs: int) -> dict[str, str]:
    """Queue, start, wait.

    Returns:
        Name → the end of its log, of those that failed.

    Raises:
        UserError: nobody runs them any more.
    """
    states, workers = queue()
    if workers and "Running" not in states.values():
        # Idle ones leave within seconds, and one that leaves may take an experiment that nobody runs then.
        dvc("queue", "stop")
        until = time.monotonic() + _LEAVE
        while workers and time.monotonic() < until:
            states, workers = queue(sure=False)
    if not workers:
        end([name for name, state in states.items() if state == "Running"])  # so they say: their worker was killed
        states, workers = queue()
    if others := sorted(name for name, state in states.items() if state == "Queued" and name not in missing):
        print(f"first come {len(others)} others of DVC's queue: {', '.join(others)}", file=sys.stderr, flush=True)
    # Whatever has failed, or belongs to another commit, which may be said of what is queued too.
    stale = [name for name in missing if states.get(name, "Running") != "Running"]
    if stale:
        dvc("queue", "remove", *stale)
    for name, experiment in missing.items():
        if states.get(name) != "Running":
            dvc("exp", "run", "--queue", "--name", name, *overrides(experiment), *experiment.targets)
    try:
        start(jobs)
        return wait(missing, jobs)
    except KeyboardInterrupt:
        dvc("queue", "stop")  # workers take nothing new
        states, _ = queue()
        end([name for name, state in states.items() if state == "Running"])
        if queued := [name for name in missing if states.get(name) == "Queued"]:
            dvc("queue", "remove", *queued)  # or they would run before those of the next set
        raise


def start(jobs: int) -> None:
    """Start workers."""
    # An experiment's folder is temporary: its checkpoints must lie elsewhere.
    scratch = os.path.abspath(os.environ.get("SDR_SCRATCH") or ".scratch/experiments")
    dvc("queue", "start", "--jobs", str(jobs), SDR_SCRATCH=scratch, **threads(jobs))


def threads(jobs: int) -> dict[str, str]:
    """Share the cores among jobs: threads that wait for each other on a taken core cost several times what they save."""
    if jobs == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))}


def wait(missing: dict[str, Experiment], jobs: int) -> dict[str, str]:
    """Wait until all have finished, one way or the other; a line for each. Workers that leave although more is queued, as they may
    on a busy machine where they do not hear of each other in time, are started again.

    Returns:
        Name → the end of its log, of those that failed.

    Raises:
        UserError: nobody runs them any more.
    """
    began, asked, done, failed, lost, seen = time.monotonic(), time.monotonic(), set(), {}, set(), True
    starts = 0
    while len(done | set(failed)) < len(missing):
        time.sleep(_LOOK)
        for name in sorted(set(commits(missing.values())) - done):
            done.add(name)
            print(f"{len(done)}/{len(missing)} {name} ({(time.monotonic() - began) / 60:.0f} min)", flush=True)
        if time.monotonic() - asked < _ASK:
            continue
        asked, (states, workers) = time.monotonic(), queue()
        waiting = (
            set(missing) - set(commits(missing.values())) - set(failed)
        )  # of now: it may have ended since they were told
        gone = {name for name in waiting if states.get(name) not in ("Queued", "Running")}
        # On its way from the queue to a worker an experiment is in no list.
        ended = {name for name in gone if states.get(name) == "Failed" or name in lost}
        for name in sorted(ended):
            failed[name] = log_of(name)
            print(f"failed: {name}\n{failed[name]}", file=sys.stderr, flush=True)
        lost = gone
        seen, before = bool(workers), seen
        if waiting - gone and not seen and not before:  # one that starts is not seen either
            if starts < _AGAIN and all(states[name] == "Queued" for name in waiting - gone):
                print("DVC's workers have gone: started again", file=sys.stderr, flush=True)
                start(jobs)
                starts, seen = starts + 1, True
                continue
            names = ", ".join(sorted(waiting - gone))
            raise UserError(f"DVC's workers have gone, {names} have not ended: the same command goes on")
    return failed


def end(names: list[str]) -> None:
    """Interrupt running experiments as Ctrl-C does, so that a training saves a checkpoint, until DVC knows that they have ended.

    `dvc queue stop --kill` would kill DVC's process alone and leave the training behind. Of an experiment whose worker was
    killed DVC learns by the next attempt to interrupt it.
    """
    for _ in range(_ATTEMPTS if names else 0):
        with suppress(UserError):  # one has ended meanwhile
            dvc("queue", "kill", *names)
        until = time.monotonic() + _PATIENCE
        while names and time.monotonic() < until:
            states, _ = queue(sure=False)
            names = [name for name in names if states.get(name) == "Running"]
        if not names:
            return
    if names:
        raise UserError(f"{', '.join(names)} cannot be interrupted: see `dvc queue status`")


def log_of(name: str) -> str:
    """The last lines of a failed experiment's log: the stage that failed, and what it said."""
    try:
        lines = dvc("queue", "logs", name).splitlines()
    except UserError as error:  # it failed before it began
        return str(error)
    return "\n".join(lines[-_TAIL:])


def overrides(experiment: Experiment) -> list[str]:
    """What `dvc exp run` is told of an experiment's parameters."""
    with open("params.yaml") as file:
        params = parse(file.read())
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
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_]\w*", value) or value in ("true", "false", "null"):
        # Only a quote, and backslashes before one, need another backslash.
        return '"' + re.sub(r'(\\*)("|$)', lambda m: 2 * m[1] + m[2].replace('"', r"\""), value) + '"'
    return "null" if value is None else str(value)


def queue(sure: bool = True) -> tuple[dict[str, str], int]:
    """What DVC says of its queue: name → Queued, Running, Success or Failed; and how many workers there are.

    Args:
        sure: ask again before saying that there are none: a busy one may answer too late.
    """
    for _ in range(3 if sure else 1):
        states, workers = read_status(dvc("queue", "status"))
        if workers:
            break
    return states, workers


def read_status(text: str) -> tuple[dict[str, str], int]:
    """As `queue`, of what `dvc queue status` says."""
    states = {}
    for line in text.splitlines():
        if match := re.match(r"^([0-9a-f]{7,})\s+(\S+)\s.*\b(Queued|Running|Success|Failed)\s*$", line):
            states[match[2]] = match[3]
    workers = re.search(r"^Worker status: (\d+) active, (\d+) idle", text, re.MULTILINE)
    return states, sum(map(int, workers.groups())) if workers else 0


def dvc(*command: str, **env: str) -> str:
    """Run DVC; return what it says.

    Raises:
        UserError: it failed.
    """
    # Files, not pipes: workers inherit them, and a pipe is at its end when the last of them is.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        line = [sys.executable, "-m", "dvc", *command]
        status = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=os.environ | env).returncode
        said, wrong = ((file.seek(0), file.read())[1] for file in (out, err))
    if status:
        raise UserError(f"dvc {' '.join(command)}: {wrong.strip() or said.strip()}")
    return said


if __name__ == "__main__":
    main()
