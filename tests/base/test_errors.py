"""Stage programs are run as real processes: exit status, standard error and signals are what a user meets."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sdr.base.errors import in_one_line

ROOT = Path(__file__).parents[2]
HEAD = "import errno, os, time\nfrom sdr.base.errors import UserError, program\n@program\ndef main():\n    "


def start(body: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", f"{HEAD}{body}\nmain()"], cwd=ROOT, stdout=-1, stderr=-1, text=True)


def outcome(body: str) -> tuple[int, str]:
    process = start(body)
    _, err = process.communicate(timeout=600)
    return process.returncode, err


def test_a_program_that_ends_well_has_status_0_and_says_nothing():
    assert outcome("pass") == (0, "")


def test_user_error_is_one_message_without_traceback():
    assert outcome("raise UserError('a/b: bad; do c')") == (1, "error: a/b: bad; do c\n")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission"),
        (errno.EPERM, "no permission"),
        (errno.EROFS, "read-only"),
    ],
)
def test_disk_trouble_names_the_path_and_the_cure(code, says):
    status, err = outcome(f"raise OSError({code}, os.strerror({code}), 'artifacts/data')")
    assert status == 1
    assert err.startswith("error: artifacts/data: ") and says in err
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_really_full_disk():
    status, err = outcome("f = open('/dev/full', 'w'); f.write('x'); f.flush()")
    assert status == 1 and "the disk is full" in err and "Traceback" not in err.splitlines()[0]


@pytest.mark.parametrize(("code", "status"), [(errno.ENOSPC, "the disk is full"), (errno.ENOENT, "Traceback")])
def test_a_full_disk_as_safetensors_says_it(code, status):
    text = f"Error while serializing: I/O error: {os.strerror(code)} (os error {code})"
    left, err = outcome(f"from safetensors import SafetensorError; raise SafetensorError({text!r})")
    assert left == 1 and status in err and (len(err.splitlines()) == 1) == (status != "Traceback")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_one_message(number):
    process = start("print('ready', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert err.startswith("interrupted") and len(err.splitlines()) == 1


@pytest.mark.parametrize("body", ["raise ValueError('ours')", "raise OSError(errno.EIO, 'broken', 'x')"])
def test_our_own_bugs_keep_their_traceback(body):
    status, err = outcome(body)
    assert status == 1 and "Traceback" in err


def test_arguments_reach_the_program():
    from sdr.base.errors import program

    seen = []
    program(lambda *names: seen.extend(names))("digits", "sdr")
    assert seen == ["digits", "sdr"]


@pytest.mark.parametrize(
    ("text", "says"), [("a\n\tb\n  c\nd\n", "a b (and 2 lines more)"), ("a\nb", "a b"), ("", "ValueError")]
)
def test_pages_of_a_library_become_a_line(text, says):
    assert in_one_line(ValueError(text)) == says
