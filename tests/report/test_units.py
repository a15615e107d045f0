"""Numbers as people read them."""

import re

import pytest

from sdr.report.units import count, decimal, duration, macs_unit


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_thousands_are_set_apart():
    assert (plain(count(1223448)), count(999)) == ("1 223 448", "999")
    assert (plain(decimal(2056.257)), decimal(-0.5, 1)) == ("2 056.26", "-0.5")
    assert count(None) == decimal(None) == duration(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (151, "2 min 31 s"),
        (3599.6, "1 h 00 min"),
        (11_100, "3 h 05 min"),
    ],
)
def test_a_duration_never_has_60_of_anything(seconds, text):
    assert duration(seconds) == text
    assert all(int(n) < 60 for n in re.findall(r"(\d+) (?:min|s)\b", text))


def test_multiply_adds_have_the_unit_of_their_size():
    assert macs_unit(999_999_999) == (1e6, "M") and macs_unit(10**9) == (1e9, "G")
