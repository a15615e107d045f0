"""Names in messages: any file name, on one line, in any terminal."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdr.base.shown import normal, safe, shown

NAMES = st.text(st.characters(), max_size=30) | st.binary(max_size=30).map(lambda b: b.decode(errors="surrogateescape"))


@given(NAMES)
def test_every_name_is_shown_on_one_line_that_can_be_printed(name):
    text = shown(name)
    assert text.encode().decode() == text and len(text.splitlines()) <= 1
    assert not any(unicodedata.category(c).startswith("C") for c in text)
    assert shown(text) == text and safe(text) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Schöne Bilder/猫.png", "Schöne Bilder/猫.png"),
        ("a\nb\t.png", r"a\nb\t.png"),
        (b"caf\xe9.png".decode(errors="surrogateescape"), r"caf\udce9.png"),
        ("\x1b[2J\u202egnp.x", r"\x1b[2J\u202egnp.x"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_cannot_be_seen_is_escaped(name, text):
    assert shown(name) == text


def test_a_message_keeps_its_lines():
    assert safe("error:\n\ta\x1b[1m\r") == "error:\n\ta\\x1b[1m\\r"


def test_names_that_look_alike_are_one():
    assert normal("cafe\u0301") == normal("caf\u00e9") == "caf\u00e9"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_a_program_prints_any_name_whatever_the_terminal_takes(encoding):
    code = (
        "from sdr.base.errors import UserError, program\n"
        "@program\ndef main():\n    print('caf\\udce9 猫')\n    raise UserError('bad\\udce9 \\x1b[2J 猫')\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert b"caf\\udce9" in done.stdout and done.stderr.startswith(b"error: bad\\udce9 \\x1b[2J ")
