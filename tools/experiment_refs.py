"""Which experiments have finished: DVC keeps each as a git ref below the commit it was run from."""

import subprocess
from collections.abc import Iterable

from sdr.errors import UserError

INPUTS = ("params.yaml", "dvc.yaml", "sdr", "stages", "splits")  # what an experiment's result follows from


def finished(names: Iterable[str]) -> set[str]:
    """Those of these experiments that are there and still hold."""
    return set(commits(names))


def commits(names: Iterable[str]) -> dict[str, str]:
    """The commit that each finished experiment was run from; the latest, if it was run from several that hold."""
    wanted, found, held = set(names), {}, {}
    lines = git("for-each-ref", "--sort=creatordate", "--format=%(refname)", "refs/exps").splitlines()
    for parts in (line.split("/") for line in lines):
        if len(parts) == 5 and parts[-1] in wanted:  # refs/exps/AB/CDEF…/NAME
            base = parts[2] + parts[3]
            if base not in held:
                held[base] = _holds(base)
            if held[base]:
                found[parts[-1]] = base
    return found


def _holds(base: str) -> bool:
    """Whether code and parameters are now what they were at a commit."""
    return subprocess.run(["git", "diff", "--quiet", base, "HEAD", "--", *INPUTS], capture_output=True).returncode == 0


def git(*command: str) -> str:
    """Run git; return what it says.

    Raises:
        UserError: it failed.
    """
    result = subprocess.run(["git", *command], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"git {command[0]}: {result.stderr.strip()}")
    return result.stdout.rstrip()
