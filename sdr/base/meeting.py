"""Where the processes of one machine meet: in a file that only their user may read, never at a port.

torchrun's usual rendezvous listens at a port of all interfaces and unpickles, that is runs, what it is sent. Here the
launcher has nothing to agree on with anyone, and the processes find one another through `torch.distributed.FileStore`;
what they exchange then (gloo, NCCL) goes over the loopback interface and holds numbers alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BACKEND = "sdr_file"  # its name among torchrun's
_PLACE = "SDR_MEETING"  # the file, told to the processes
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@contextmanager
def file_meeting() -> Iterator[None]:
    """Within the block torchrun's launcher knows `BACKEND`, and the processes it starts know where to meet."""
    _register()
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    folder = tempfile.mkdtemp(prefix="sdr-meeting-")  # for its user alone
    told = {_PLACE: str(Path(folder, "store"))} | ({name: loopback for name in _INTERFACES} if loopback else {})
    told |= {name: os.environ[name] for name in _INTERFACES if os.environ.get(name)}  # the user knows better
    before = {name: os.environ.get(name) for name in told}
    os.environ |= told
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def place() -> str:
    """How `init_process_group` finds the others: by the file, or as the launcher of several machines says."""
    file = os.environ.get(_PLACE)
    return f"file://{file}" if file else "env://"


def _register() -> None:
    from torch.distributed import HashStore
    from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousInfo, rendezvous_handler_registry
    from torch.distributed.elastic.rendezvous.api import RendezvousStoreInfo

    class Alone(RendezvousHandler):
        """The rendezvous of a launcher that is the only one: its store lies in its own memory."""

        use_agent_store = False

        def __init__(self, run_id: str):
            self._run_id, self._store = run_id, HashStore()

        def get_backend(self) -> str:
            return BACKEND

        def next_rendezvous(self) -> RendezvousInfo:
            return RendezvousInfo(self._store, 0, 1, RendezvousStoreInfo("127.0.0.1", 0))  # an address nobody asks

        def is_closed(self) -> bool:
            return False

        def set_closed(self) -> None:
            pass

        def num_nodes_waiting(self) -> int:
            return 0

        def get_run_id(self) -> str:
            return self._run_id

        def shutdown(self) -> bool:
            return True

    rendezvous_handler_registry.register(BACKEND, lambda params: Alone(params.run_id))
