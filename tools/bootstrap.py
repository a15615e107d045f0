"""Make .venv, install the locked packages into it, and the command `sdr`, which runs this checkout.

Needs a Python of 3.11 or later and nothing else.

Run by `make`. Any step may be interrupted: the next run goes on. The file itself must parse on the older
Pythons that some systems call `python3`, so that they get the message below and not a syntax error.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
READY = VENV / ".ready"


def main():
    find_python()
    READY.unlink() if READY.exists() else None
    make_venv()
    install()
    install_command()
    READY.touch()


def find_python():
    """Go on with a Python that is new enough, or say what is missing."""
    if sys.version_info >= NEEDED:
        return
    for name in ("python3.13", "python3.12", "python3.11"):
        found = shutil.which(name)
        if found:
            os.execv(found, [found, *sys.argv])
    fail(
        f"Python 3.11 or later is needed, {sys.executable} is {'.'.join(map(str, sys.version_info[:3]))}; "
        "install one and run `make PYTHON=/path/to/python3 ...`"
    )


def make_venv():
    if run(PYTHON, "-m", "pip", "--version", quiet=True):
        return
    print(f"setup: making .venv with {sys.executable}", flush=True)
    if not run(sys.executable, "-m", "venv", "--clear", VENV):
        fail("making .venv failed; on Debian and Ubuntu the package python3-venv may be missing")


def install():
    """Install the lock with uv (a minute) or, where uv does not work, with pip (several minutes)."""
    print("setup: installing the packages of requirements.lock", flush=True)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    uv = (PYTHON, "-m", "uv", "pip", "install", "--system-certs", "--python", PYTHON)
    locked_uv = VENV / "uv.lock"
    locked_uv.write_text(re.search(r"^uv==(.*\n)( .*\n)*", LOCK.read_text(), re.MULTILINE).group())
    # Where Python may not write bytecode itself, each stage would spend up to ten seconds on imports.
    if run(*pip, "--require-hashes", "-r", locked_uv):
        if run(*uv, "--compile-bytecode", "--require-hashes", "-r", LOCK):
            return
    print("setup: uv did not work here; going on with pip", flush=True)
    if not run(*pip, "--require-hashes", "-r", LOCK):
        fail("the packages could not be installed: see above; the same command run again goes on from here")


def install_command():
    """Install the checkout itself, as `pip install -e .` does; its dependencies are there, so no index is asked."""
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index")
    if not run(*pip, "--no-build-isolation", "-e", ROOT):
        fail("the command sdr could not be installed: see above; the same command run again goes on from here")


def run(*command, quiet=False):
    """Run a command; true when it succeeded."""
    output = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.call([str(part) for part in command], stdout=output, stderr=output, cwd=str(ROOT)) == 0
    except OSError:
        return False


def fail(message):
    sys.exit("error: " + message)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; the same command run again goes on from here")
