"""Signals are sent for real, to this process or to a child of it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sdr.base.signals import deferred_signals

ROOT = Path(__file__).parents[2]
BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def handlers():
    """Those of `sdr.base.errors.program`: both signals raise KeyboardInterrupt."""

    def interrupt(number, frame):
        raise KeyboardInterrupt

    former = [signal.signal(number, interrupt) for number in BOTH]
    yield interrupt
    for number, handler in zip(BOTH, former):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_noted_and_the_step_ends(number, handlers):
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_signals() as signals:
        assert signals.received is None
        os.kill(os.getpid(), number)
        done.append("step")
        assert signals.received == number
        raise KeyboardInterrupt  # the block acts on it: once is enough
    assert done == ["step"]
    assert [signal.getsignal(n) for n in BOTH] == [handlers] * 2


def test_a_second_sigint_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        signal.raise_signal(signal.SIGINT)
        done.append(1)
        signal.raise_signal(signal.SIGINT)
        done.append(2)
    assert done == [1]


def test_sigterm_however_often_waits():
    """A supervisor that stops a job sends both, and repeats itself."""
    with pytest.raises(KeyboardInterrupt), deferred_signals() as signals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            signal.raise_signal(number)
        assert signals.received == signal.SIGINT  # the first
        raise KeyboardInterrupt


def test_a_signal_after_the_last_look_is_not_lost(handlers):
    with pytest.raises(KeyboardInterrupt):
        with deferred_signals():
            signal.raise_signal(signal.SIGTERM)
            done = True
    assert done and signal.getsignal(signal.SIGTERM) is handlers


def test_an_error_of_the_block_is_told_rather_than_the_signal(handlers):
    with pytest.raises(OSError, match="full"), deferred_signals():
        signal.raise_signal(signal.SIGTERM)
        raise OSError("disk full")
    assert signal.getsignal(signal.SIGTERM) is handlers


def test_without_a_signal_nothing_happens(handlers):
    with deferred_signals() as signals:
        pass
    assert signals.received is None and [signal.getsignal(n) for n in BOTH] == [handlers] * 2


def test_nested_blocks_pass_it_on():
    with pytest.raises(KeyboardInterrupt), deferred_signals() as outer:
        with deferred_signals():
            signal.raise_signal(signal.SIGTERM)
        assert outer.received == signal.SIGTERM
        raise KeyboardInterrupt


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred_signals() as signals:
        signal.raise_signal(signal.SIGINT)
    assert signals.received is None and signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_in_another_thread_it_does_nothing(handlers):
    seen = []

    def work():
        with deferred_signals() as signals:
            seen.extend([signals.received, *(signal.getsignal(n) for n in BOTH)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None, handlers, handlers]


def test_with_the_system_s_own_handlers_the_process_ends_as_it_would_have():
    program = """
import signal
from sdr.base.signals import deferred_signals
with deferred_signals():
    signal.raise_signal(signal.SIGTERM)
    print("the step ended", flush=True)
print("not reached")
"""
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert process.returncode == -signal.SIGTERM and process.stdout == "the step ended\n"
