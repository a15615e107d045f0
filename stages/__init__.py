"""The stage programs. This file runs before any of them: an interrupt while torch is loading is one line too."""

import gc
import os
import sys

from sdr.base.errors import leave_on_interrupt


def check_parameters() -> None:
    """Check the whole of params.yaml, once for each content of it: the first stage of a run tells a wrong key of the last.

    `make repro` does so before it starts DVC; this is for `dvc repro` and `dvc exp run`, by whichever stage comes first. The
    check runs in a process of its own, since it imports everything.
    """
    import subprocess
    from pathlib import Path

    from sdr.base import checked

    if not Path("params.yaml").exists() or checked.is_known(checked.key()):
        return  # whoever reads parameters says that there are none
    env = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}  # of no stage: it reads everything
    if subprocess.run([sys.executable, "-m", "tools.check"], env=env).returncode:
        sys.exit(1)


if sys.argv[0] == "-m":  # as a program, not imported by a test
    leave_on_interrupt()
    gc.disable()  # modules are no garbage: until `program` a tenth of their import would go to looking for some
    if "DVC_STAGE" in os.environ and os.environ.get("RANK", "0") == "0":
        check_parameters()
