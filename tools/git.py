"""What git says."""

import subprocess

from sdr.base.errors import UserError


def git(*command: str) -> str:
    """Run git; return what it says.

    Raises:
        UserError: it failed.
    """
    result = subprocess.run(["git", *command], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"git {command[0]}: {result.stderr.strip()}")
    return result.stdout.rstrip()
