"""Profiles: files of parameters that differ from params.yaml, merged into it with their comments.

A section is merged key by key. A mapping of names (`NAMED`), such as `tasks`, is taken whole from the profile. At the top of a profile
`include: [NAME, …]` takes the parameters of other profiles first.
"""

import difflib
from collections.abc import Iterator, Mapping, MutableMapping
from io import StringIO
from pathlib import Path
from typing import Any

from sdr.base.errors import UserError

FOLDER = Path("profiles")
NAMED = ("tasks", "compare", "pruned", "adapt", "score_check", "detection")
_OPEN = (*NAMED, "detectors")  # whose entries params.yaml need not have


def profile_names(folder: Path = FOLDER) -> list[str]:
    """The profiles that there are."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def merged(params: str, *names: str, folder: Path = FOLDER) -> str:
    """Return the text of params.yaml with the parameters and comments of profiles in place of its own.

    Args:
        params: text of params.yaml.
        names: profiles, each merged into what the ones before gave.

    Raises:
        UserError: no such profile, not valid YAML, or a parameter that params.yaml does not have.
    """
    base = _read(params, "params.yaml")
    for name in names:
        for file, profile in _with_included(name, folder):
            _merge(base, profile, str(file), ())
    text = StringIO()
    yaml_round_trip().dump(base, text)
    return text.getvalue()


def complete(file: Path) -> str:
    """The text of a file of parameters; that of a profile is merged into the params.yaml beside its folder.

    Raises:
        UserError: as `merged`, or there is no such file.
    """
    if not file.is_file():
        raise UserError(f"{file}: not found")
    if file.parent.name != FOLDER.name:
        return file.read_text(encoding="utf-8")
    params = file.parent.with_name("params.yaml").read_text(encoding="utf-8")
    return merged(params, file.stem, folder=file.parent)


def _with_included(name: str, folder: Path, above: tuple[str, ...] = ()) -> Iterator[tuple[Path, MutableMapping]]:
    """File and content of a profile, after those that it includes; `above`: those that include it."""
    if name in above:
        raise UserError(f"{folder / above[0]}.yaml: includes itself, by {' and '.join(above[1:]) or '`include`'}")
    if name not in profile_names(folder):
        raise UserError(f"no profile `{name}`: there are {', '.join(profile_names(folder))}")
    file = folder / f"{name}.yaml"
    profile = _read(file.read_text(encoding="utf-8"), str(file))
    for other in profile.pop("include", None) or ():
        yield from _with_included(other, folder, (*above, name))
    yield file, profile


def _merge(base: MutableMapping, profile: MutableMapping, file: str, above: tuple[str, ...]) -> None:
    for key, value in profile.items():
        name = ".".join((*above, str(key)))
        if key not in base and not (above and above[0] in _OPEN):
            close = difflib.get_close_matches(str(key), map(str, base), 1)
            hint = f": is `{'.'.join((*above, close[0]))}` meant?" if close else ""
            raise UserError(f"{file}: unknown parameter `{name}`{hint}")
        if isinstance(value, Mapping) != isinstance(base.get(key, value), Mapping):
            kind = "a section" if isinstance(base[key], Mapping) else "a value"
            raise UserError(f"{file}: `{name}` is {kind} in params.yaml")
        if isinstance(value, MutableMapping) and key in base and not (not above and key in NAMED):
            _merge(base[key], value, file, (*above, str(key)))
        else:
            base[key] = value
        _take_comment(base, profile, key)


def _take_comment(base: Any, profile: Any, key: str) -> None:
    """Put a profile's comment behind a key in place of that of params.yaml; lines that follow there stay."""
    theirs, ours = (found.ca.items.get(key) for found in (profile, base))
    comment = theirs[2].value.partition("\n")[0] if theirs and theirs[2] else ""
    if not comment:
        return
    if ours and ours[2] is not None:
        ours[2].value = comment + "\n" + ours[2].value.partition("\n")[2]
    else:
        base.yaml_add_eol_comment(comment, key, column=theirs[2].start_mark.column)


def _read(text: str, file: str) -> Any:
    from ruamel.yaml import YAMLError

    try:
        found = yaml_round_trip().load(text)
    except YAMLError as error:
        raise UserError(f"{file}: not valid YAML: {error}") from None
    if not isinstance(found, MutableMapping):
        raise UserError(f"{file}: not a mapping of parameters")
    return found


def yaml_round_trip() -> Any:
    """A reader and writer of YAML that keeps comments, quotes and long lines."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml
