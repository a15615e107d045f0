"""Interrupts that wait for the end of a step: half-updated weights are never saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Deferred:
    """What came in so far.

    Attributes:
        received: the first of SIGINT and SIGTERM that came; None so far.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._again = False

    def _note(self, number: int, frame: object) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
        if number == signal.SIGINT:
            if self._again:  # whoever presses Ctrl-C twice does not want to wait
                raise KeyboardInterrupt
            self._again = True


@contextmanager
def deferred_signals() -> Iterator[Deferred]:
    """Within the block SIGINT and SIGTERM are only noted; a second SIGINT raises KeyboardInterrupt at once.

    The block looks at `received` where it can stop, and raises KeyboardInterrupt itself. At its end the former
    handlers are back; a signal that it noted too late to look is delivered to them then. Handlers can only be set in
    the main thread: in another one this notes nothing. A signal that was ignored (`nohup`) stays ignored.
    """
    deferred = Deferred()
    if threading.current_thread() is not threading.main_thread():
        yield deferred
        return
    former = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None):  # None: not set by Python
                former[number] = handler
                signal.signal(number, deferred._note)
        yield deferred
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if deferred.received is not None:
        signal.raise_signal(deferred.received)
