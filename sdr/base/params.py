"""Parameters: one validated section a module, and only what the running DVC stage declares.

A module that has parameters defines its own `Section`; a stage asks for it by the name it has in
`params.yaml`: `load(views=Views, seed=int)`. Under DVC (`DVC_STAGE` is set) only the parameters that
`dvc.yaml` declares for the stage can be read, so a forgotten declaration is an error, not a stale result.
"""

import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sdr.base.errors import UserError

# DVC writes these names beside the hash of a file, and therefore leaves them out of its run-cache's key wherever they stand: a change
# of a parameter called so would bring back the results of the other value (dvc/stage/cache.py; a test compares).
NOT_IN_RUN_CACHE = ("size", "nfiles")


class Section(BaseModel):
    """A section of `params.yaml`: unknown keys, missing keys, wrong types and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def load(**wanted: Any) -> dict[str, Any]:
    """Return the wanted sections, validated: `{name: value}`, names with dots reach into mappings.

    Args:
        wanted: name in `params.yaml` → its type, a `Section` or any type pydantic validates. Write `a__b`
            for the entry `b` of the mapping `a`.

    Raises:
        UserError: a parameter is missing, unknown, of the wrong type or out of range, or not declared
            for this stage in `dvc.yaml`.
    """
    paths = {name: name.split("__") for name in wanted}
    _check_declared(".".join(path) for path in paths.values())
    values = _read("params.yaml")
    return {name: _validate(values, paths[name], kind, "params.yaml") for name, kind in wanted.items()}


def machine(name: str, kind: Any) -> Any:
    """Return a parameter of the machine, validated. No stage declares it: it changes no result, so it re-runs nothing.

    Raises:
        UserError: as `load`.
    """
    return _validate(_read("params.yaml"), [name], kind, "params.yaml")


def section_names(section: str) -> list[str]:
    """The names in a mapping or a list of params.yaml; none where it is missing. No stage need declare them: they only
    say which stages there are.

    Raises:
        UserError: the section is neither a mapping nor a list.
    """
    found = _read("params.yaml").get(section) or []
    if not isinstance(found, dict | list):
        raise UserError(f"params.yaml: `{section}` should be a mapping of names, got {found!r}")
    return [str(name) for name in found]


def declared(stage: str, pipeline: dict) -> list[str]:
    """Return what a stage declares under `params`, as patterns of names with dots.

    Args:
        stage: name of the stage, with `@KEY` if it stems from a `foreach` or a `matrix`.
        pipeline: content of dvc.yaml. What DVC puts in place of `${key}` is known; of `${item.…}` the pattern takes any.
    """
    name, _, key = stage.partition("@")
    entry = pipeline["stages"][name]
    names = entry.get("do", entry).get("params", [])
    return [re.sub(r"\\\$\\\{(.+?)\\\}", partial(_place, key), re.escape(name)) for name in names]


def _place(key: str, place: re.Match) -> str:
    return re.escape(key) if place[1] == "key" else "[^.]+"


def _check_declared(names: Iterable[str]) -> None:
    stage = os.environ.get("DVC_STAGE")
    if stage is None:
        return
    patterns = declared(stage, _read("dvc.yaml"))
    for name in names:
        if not any(re.fullmatch(rf"{pattern}(\..+)?", name) for pattern in patterns):
            raise UserError(f"dvc.yaml: stage {stage} reads the parameter `{name}` and does not declare it")


def _read(file: str) -> dict:
    from ruamel.yaml import YAML  # as DVC does: PyYAML would take 1e-3 for a string
    from ruamel.yaml.error import YAMLError

    try:
        with open(file) as stream:
            return YAML(typ="safe").load(stream) or {}
    except FileNotFoundError:
        raise UserError(f"{file}: not found here; run from the root of the repository") from None
    except YAMLError as error:
        raise UserError(f"{file}: not valid YAML: {error}") from None


def _validate(values: dict, path: list[str], kind: Any, origin: str) -> Any:
    name = ".".join(path)
    value: Any = values
    for key in path:
        if not isinstance(value, dict) or key not in value:
            raise UserError(f"{origin}: parameter `{name}` is missing: `git show HEAD:params.yaml` has it")
        value = value[key]
    for unseen in _not_in_run_cache(value, path):
        raise UserError(
            f"{origin}: `{unseen}`: no parameter may be called {' or '.join(NOT_IN_RUN_CACHE)}, since DVC's run cache does not see it "
            "change; take another name (a side in pixels is `side`)"
        )
    try:
        # A section says so itself, and takes no other configuration.
        section = isinstance(kind, type) and issubclass(kind, BaseModel)
        config = None if section else ConfigDict(allow_inf_nan=False)
        return TypeAdapter(kind, config=config).validate_python(value, strict=True)
    except ValidationError as error:
        lines = [f"`{'.'.join([name, *map(str, e['loc'])])}`: {_say(e)}" for e in error.errors()]
        raise UserError(f"{origin}: " + "; ".join(lines)) from None


def _not_in_run_cache(value: Any, path: list[str]) -> Iterator[str]:
    """Names with dots, in and below `path`, that DVC leaves out of the run cache's key."""
    if path[-1] in NOT_IN_RUN_CACHE:
        yield ".".join(path)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield from _not_in_run_cache(entry, [*path, str(key)])


def _say(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown parameter (misspelt?)"
    if error["type"] == "missing":
        return "missing"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"
