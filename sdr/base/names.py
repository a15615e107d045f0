"""Names that people give to entries of `params.yaml`, and which of them a stage works on.

A name becomes part of stages' names and of paths, never of a command: DVC would hand that to a shell. Under DVC a stage
reads its entry from `$DVC_STAGE` (`route@digits`, `evaluate@digits-w0`), by hand from the command line.
"""

import os
import re
import sys
from collections.abc import Iterable

from sdr.base.errors import UserError
from sdr.base.params import section_names

LONGEST = 100  # bytes
# DVC takes a dot for a path into params.yaml and digits alone for a number; `load` takes `__` for such a path.
_NAME = re.compile(rf"(?!\d+$)(?!-)(?!.*__)[A-Za-z0-9_-]{{1,{LONGEST}}}", re.ASCII)


def check_name(section: str, name: object) -> None:
    """Check the name of an entry of `section`.

    Raises:
        UserError: it is not made of the allowed characters, or too long.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(
            f"params.yaml: {section}: name {name!a}: use letters, digits, `_` and `-`, not digits alone, not `__`, "
            f"no `-` in front, {LONGEST} characters at most"
        )


def no_entry() -> None:
    """For a stage without an entry.

    Raises:
        UserError: it was started with an argument.
    """
    if sys.argv[1:]:
        raise UserError(f"usage: python -m {_program()}, without an argument")


def entry(section: str) -> str:
    """The entry of `section` that this stage works on.

    Raises:
        UserError: no name or several were given, it is malformed, or `section` has no such entry.
    """
    known = section_names(section)
    given = sys.argv[1:] or [_key()]
    if len(given) != 1 or not given[0]:
        raise UserError(_usage(**{_singular(section): (section, known)}))
    _check(section, given[0], known)
    return given[0]


def entries(first: str, second: str) -> tuple[str, str]:
    """The entries of two sections that this stage of a matrix works on.

    Raises:
        UserError: other than two names were given, one is malformed or not in its section, or the stage's name can be
            read in two ways.
    """
    known = {section: section_names(section) for section in (first, second)}
    given = sys.argv[1:]
    if not given and (key := _key()):
        given = split_key(key, known)
    if len(given) != 2:
        usage = {_singular(section): (section, names) for section, names in known.items()}
        raise UserError(_usage(**usage))
    for (section, names), name in zip(known.items(), given):
        _check(section, name, names)
    return given[0], given[1]


def split_key(key: str, known: dict[str, list[str]]) -> list[str]:
    """The two names that DVC joined with a dash.

    Args:
        key: after the `@` of the stage's name.
        known: the two sections → their names.

    Raises:
        UserError: no two names or more than two make this key.
    """
    first, second = known.values()
    found = [(a, b) for a in first for b in second if f"{a}-{b}" == key]
    if len(found) == 1:
        return list(found[0])
    sections = " and ".join(f"`{section}`" for section in known)
    if not found:
        raise UserError(f"stage {os.environ.get('DVC_STAGE', key)}: `{key}` is no name of {sections} in params.yaml")
    readings = " and ".join(f"`{a}` with `{b}`" for a, b in found)
    raise UserError(f"params.yaml: {sections}: `{key}` can be read as {readings}; rename one of them")


def ambiguous(first: str, second: str, known: dict[str, Iterable[str]]) -> list[str]:
    """What is said of the keys of a matrix over two sections that can be read in two ways.

    Args:
        known: section → names, of all sections that are there.
    """
    pairs = {section: list(known.get(section, ())) for section in (first, second)}
    keys = [f"{a}-{b}" for a in pairs[first] for b in pairs[second]]
    said = []
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        try:
            split_key(key, pairs)
        except UserError as error:
            said.append(str(error))
    return said


def _check(section: str, name: str, known: list[str]) -> None:
    check_name(section, name)
    if name not in known:
        raise UserError(f"`{name}` is not in `{section}` of params.yaml; there are: {_listed(known)}")


def _key() -> str:
    return os.environ.get("DVC_STAGE", "").partition("@")[2]


def _usage(**places: tuple[str, list[str]]) -> str:
    said = "; ".join(f"{place} is one of `{section}`: {_listed(names)}" for place, (section, names) in places.items())
    return f"usage: python -m {_program()} {' '.join(places)}; {said}"


def _singular(section: str) -> str:
    return {"tasks": "TASK", "detection": "SET"}.get(section, "NETWORK" if "network" in section else "NAME")


def _listed(names: list[str]) -> str:
    shown = [ascii(name)[1:-1] for name in names[:20]]
    return ", ".join(shown) + ", …" * (len(names) > 20) if names else "none yet"


def _program() -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec.name if spec else "stages.NAME"
