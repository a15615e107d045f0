"""A stage's program, run in the process of the tests."""

import sys


def run(stage, monkeypatch, *arguments):
    """Run it as from the command line."""
    monkeypatch.setattr(sys, "argv", [stage.__name__, *arguments])
    monkeypatch.setattr("sdr.base.errors.signal.signal", lambda *_: None)  # the handlers of a program are not pytest's
    stage.main()
