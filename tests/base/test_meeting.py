"""Where processes meet: a file of their user alone, over the loopback interface, and nothing left behind."""

import os
import stat
from pathlib import Path

import pytest

from sdr.base import meeting


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    """torch takes a backend's name once a process; test_ranks.py launches."""
    monkeypatch.setattr(meeting, "_register", lambda: None)


def test_processes_meet_in_a_folder_of_their_user_that_does_not_outlive_them(monkeypatch):
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    before = dict(os.environ)
    with pytest.raises(KeyboardInterrupt), meeting.file_meeting():
        folder = Path(meeting.place().removeprefix("file://")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and not list(folder.iterdir())
        assert os.environ["GLOO_SOCKET_IFNAME"].startswith("lo")
        raise KeyboardInterrupt
    assert not folder.exists() and dict(os.environ) == before


def test_an_interface_that_the_user_names_is_taken(monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth7")
    with meeting.file_meeting():
        assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"


def test_without_a_launcher_of_ours_the_environment_says_where():
    assert meeting.place() == "env://"
