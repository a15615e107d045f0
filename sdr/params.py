"""Parameters: one validated section a module, and only what the running DVC stage declares.

A module that has parameters defines its own `Section`; a stage asks for it by the name it has in
`params.yaml`: `load(views=Views, seed=int)`. Under DVC (`DVC_STAGE` is set) only the parameters that
`dvc.yaml` declares for the stage can be read, so a forgotten declaration is an error, not a stale result.
"""

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sdr.errors import UserError


class Section(BaseModel):
    """A section of `params.yaml`: unknown keys, missing keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def load(**wanted: Any) -> dict[str, Any]:
    """Return the wanted sections, validated: `{name: value}`, names with dots reach into mappings.

    Args:
        wanted: name in `params.yaml` → its type, a `Section` or any type pydantic validates. Write `a__b`
            for the entry `b` of the mapping `a`.

    Raises:
        UserError: a parameter is missing, unknown, of the wrong type or out of range, or not declared
            for this stage in `dvc.yaml`.
    """
    values, origin = _declared()
    return {name: _validate(values, name.split("__"), kind, origin) for name, kind in wanted.items()}


def _declared() -> tuple[dict, str]:
    stage = os.environ.get("DVC_STAGE")
    if stage is None:
        from ruamel.yaml import YAML, YAMLError  # as DVC does: PyYAML would take 1e-3 for a string

        try:
            with open("params.yaml") as file:
                return YAML(typ="safe").load(file) or {}, "params.yaml"
        except FileNotFoundError:
            raise UserError("params.yaml: not found here; run from the root of the repository") from None
        except YAMLError as error:
            raise UserError(f"params.yaml: not valid YAML: {error}") from None
    import dvc.api

    return dvc.api.params_show(stages=stage), f"params.yaml, as declared for stage {stage} in dvc.yaml"


def _validate(values: dict, path: list[str], kind: Any, origin: str) -> Any:
    name = ".".join(path)
    value: Any = values
    for key in path:
        if not isinstance(value, dict) or key not in value:
            raise UserError(f"{origin}: parameter `{name}` is missing; profiles/ holds complete files")
        value = value[key]
    try:
        return TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        lines = [f"`{'.'.join([name, *map(str, e['loc'])])}`: {_say(e)}" for e in error.errors()]
        raise UserError(f"{origin}: " + "; ".join(lines)) from None


def _say(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown parameter (misspelt?)"
    if error["type"] == "missing":
        return "missing"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"
