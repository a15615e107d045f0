"""Resolve pyproject.toml into requirements.lock: one version of each package for all systems, with hashes.

The lock names packages, versions and hashes only. Where they are fetched from is the user's own setting.
"""

import subprocess
import sys
from pathlib import Path

LOCK = Path("requirements.lock")
HEADER = "# Written by `make lock` from pyproject.toml: Linux and macOS, Python 3.11 to 3.13, all extras.\n"
OPTIONS = (
    "--universal --python-version=3.11 --fork-strategy=fewest --all-extras --generate-hashes "
    "--no-header --no-annotate --no-emit-index-url --no-emit-find-links --system-certs --quiet"
)


def main() -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS.split(), "pyproject.toml"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit("error: the dependencies of pyproject.toml could not be resolved: see above")
    LOCK.write_text(HEADER + result.stdout)
    packages = sum("==" in line.split(";")[0] for line in result.stdout.splitlines())
    print(f"{LOCK}: {packages} packages; `make setup` installs them")


if __name__ == "__main__":
    main()
