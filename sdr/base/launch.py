"""Start a program in several processes of this machine, with torchrun's own launcher."""

import os
import sys

from pydantic import PositiveInt

from sdr.base.errors import UserError
from sdr.base.params import machine


def in_processes() -> None:
    """Run the program that calls this once more, in as many processes as the parameter `processes` says, and exit as
    they do. Returns where the program is to go on: in each of them, and if there is to be one only.

    Several machines, or another launcher: start `torchrun` yourself (docs/scale.md); then this does nothing.
    """
    processes = machine("processes", PositiveInt)
    if processes == 1 or "WORLD_SIZE" in os.environ:
        return
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=str(os.getpid()),
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
    )
    program = sys.modules["__main__"].__spec__.name
    try:
        elastic_launch(config, sys.executable)("-m", program, *sys.argv[1:])
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        how = (
            f"was killed by signal {-failure.exitcode}"
            if failure.exitcode < 0
            else f"ended with status {failure.exitcode}"
        )
        raise UserError(
            f"process {number} of {processes} {how}, so the others were stopped; its message, if it had one, is above. "
            "Run the same command again: a training goes on from its last checkpoint"
        ) from None
    except SignalException:
        raise KeyboardInterrupt from None
    sys.exit(0)
