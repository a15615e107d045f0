"""Names of files and classes as messages show them: whatever a file system holds, on one line and in any terminal."""

import unicodedata
from pathlib import PurePath

# Control characters, those that turn the direction of a line, lone surrogates, private and unassigned ones.
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def shown(name: str | PurePath) -> str:
    r"""Return a name with all that cannot be seen escaped: `a\nb`, `caf\udce9`, `\x1b[2J`.

    A backslash stays as it is: the text is for people, not to be read back.
    """
    return "".join(c if unicodedata.category(c) not in _UNSEEN else _escaped(c) for c in str(name))


def safe(message: str) -> str:
    """Return a message of several lines that any terminal survives: `shown`, but for line ends and tabs."""
    return "".join(c if c in "\n\t" else shown(c) for c in message)


def printable(name: str) -> str:
    """Return a name as it is, but for bytes that are no UTF-8, which stand as `\\xe9`: so that it can be written into any file."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def normal(name: str) -> str:
    """Return the name of a class in the one form in which names are compared: composed (Unicode NFC), as Linux and Windows
    write them, where macOS takes them apart: two names that look alike are one."""
    return unicodedata.normalize("NFC", name)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
