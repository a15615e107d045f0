"""Kills the process group while DVC writes one of its own files; Python loads this at its start as `sitecustomize`.

`$SDR_CUT` says where: `dvc.lock 2 0.3`, when the file of that name is opened for writing the second time, after 0.3 of the length
that it had before. Without it nothing happens.
"""

import builtins
import io
import os
import signal

_NAME, _, _REST = os.environ.get("SDR_CUT", "").partition(" ")
_real, _opened = io.open, 0


def _kill(file) -> None:
    file.flush()
    os.killpg(0, signal.SIGKILL)


def _cutting(file, mode="r", *args, **more):
    global _opened
    writes = "w" in mode and not isinstance(file, int) and os.path.basename(os.fspath(file)) == _NAME
    length = os.path.getsize(file) if writes and os.path.exists(file) else 0
    made = _real(file, mode, *args, **more)
    if not writes:
        return made
    _opened += 1
    times, share = _REST.split()
    if _opened == int(times):
        left, write, close = int(float(share) * length), made.write, made.close

        def cut(data):
            nonlocal left
            write(data[:left])
            left -= len(data)
            if left <= 0:
                _kill(made)
            return len(data)

        def end():  # what is written is shorter than what was there
            _kill(made)
            close()

        made.write, made.close = cut, end
        if left == 0:
            _kill(made)
    return made


if _NAME:
    builtins.open = io.open = _cutting
