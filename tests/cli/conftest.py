"""The command `sdr`, in this process."""

import sys

import pytest

from sdr import cli


@pytest.fixture
def sdr(monkeypatch, tmp_path, capsys):
    """Run it with some words in a new folder; return what it printed, or its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))

    def run(*words) -> str:
        monkeypatch.setattr(sys, "argv", ["sdr", *map(str, words)])
        try:
            cli.main()
        except SystemExit as left:
            assert left.code != 2, capsys.readouterr().err
            return str(left.code)
        return capsys.readouterr().out

    return run
