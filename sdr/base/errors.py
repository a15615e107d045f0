"""One clear message and exit status 1 for whatever a user can mend; a traceback only for our own bugs."""

import errno
import functools
import gc
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from sdr.base.lock_copy import keep_copy
from sdr.base.run_log import logged
from sdr.base.shown import safe, shown


class UserError(Exception):
    """Something the user can mend. The text says what is wrong, where, and what to do."""


def in_one_line(error: BaseException) -> str:
    """What an exception of a library says, which may go on for pages: its first two lines, and how many there are more."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    more = f" (and {len(lines) - 2} lines more)" if len(lines) > 2 else ""
    return " ".join(lines[:2]) + more


_INTERRUPTED = "interrupted: nothing half-written was kept; run the same command again to go on"
_DISK = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EACCES: "no permission: check the owner and mode of that path",
    errno.EPERM: "no permission: check the owner and mode of that path",
    errno.EROFS: "the file system is read-only",
}


def program(main: Callable[..., None]) -> Callable[..., None]:
    """Make `main` a command: user errors, full disks and interrupts end in one line and exit status 1."""

    @functools.wraps(main)
    def run(*args: Any, **kwargs: Any) -> None:
        gc.enable()  # see stages/__init__.py
        signal.signal(signal.SIGINT, _terminate)
        signal.signal(signal.SIGTERM, _terminate)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # any file name can be printed
        if os.environ.get("RANK", "0") != "0":
            sys.stdout = open(os.devnull, "w")  # of several processes the first one speaks
        try:
            with logged():
                keep_copy()
                main(*args, **kwargs)
        except UserError as error:
            sys.exit(f"error: {safe(str(error))}")
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)
        except OSError as error:
            if error.errno not in _DISK:
                raise
            sys.exit(f"error: {shown(str(error.filename or 'output'))}: {_DISK[error.errno]}")
        except Exception as error:
            code = re.search(r"\(os error (\d+)\)", str(error))  # how safetensors, which is of Rust, says it
            if code is None or int(code[1]) not in _DISK:
                raise
            sys.exit(f"error: output: {_DISK[int(code[1])]}")

    return run


def leave_on_interrupt() -> None:
    """Until a `program` starts: nothing is open yet, so leave at once, even from within a library's C code."""

    def leave(signum: int, frame: object) -> None:
        os.write(2, f"{_INTERRUPTED}\n".encode())
        os._exit(1)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)


def _terminate(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
