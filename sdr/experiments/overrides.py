"""What `dvc exp run` is told of an experiment's parameters, in the grammar of its overrides, Hydra's."""

import difflib
import re
from typing import Any

from ruamel.yaml import YAML

from sdr.base.errors import UserError
from sdr.base.profiles import NAMED, merged
from sdr.experiments.sets import Experiment

_OPEN = (*NAMED, "detectors")  # whose entries an experiment may add


def overrides(experiment: Experiment, params: str) -> list[str]:
    """Options of `dvc exp run` that change params.yaml as an experiment does.

    Args:
        experiment: its profile comes first, its changes on top.
        params: text of params.yaml.

    Raises:
        UserError: no such profile or parameter.
    """
    before, wanted = YAML(typ="safe").load(params), _with_profile(experiment, params)
    changed = list(_differences(before, wanted))
    for name, value in experiment.changes.items():
        check(wanted, name)
        changed.append(_set(before, name, value))
    return [option for change in changed for option in ("--set-param", change)]


def tasks_of(experiment: Experiment, params: str) -> list[str]:
    """The tasks that an experiment evaluates on, by its profile and its changes."""
    added = [name.removeprefix("tasks.") for name in experiment.changes if re.fullmatch(r"tasks\.[^.]+", name)]
    return list(dict.fromkeys([*_with_profile(experiment, params)["tasks"], *added]))


def _with_profile(experiment: Experiment, params: str) -> dict[str, Any]:
    return YAML(typ="safe").load(merged(params, experiment.profile) if experiment.profile else params)


def check(params: dict[str, Any], name: str) -> None:
    """Raise UserError unless params.yaml has a parameter of this name, or may be given one."""
    *path, last = name.split(".")
    for depth, key in enumerate([*path, last]):
        if not isinstance(params, dict):
            raise UserError(f"`{name}`: `{'.'.join([*path, last][:depth])}` is a value in params.yaml")
        if key not in params:
            if depth and path[0] in _OPEN:
                return
            close = difflib.get_close_matches(key, map(str, params), 1)
            hint = f": is `{'.'.join([*path[:depth], close[0]])}` meant?" if close else ""
            raise UserError(f"no parameter `{name}` in params.yaml{hint}")
        params = params[key]


def _differences(before: dict, wanted: dict, above: str = ""):
    """Overrides that make one mapping of the other; entries that are gone are removed first."""
    for key in before.keys() - wanted.keys():
        yield f"~{above}{key}"
    for key, value in wanted.items():
        if key in before and isinstance(value, dict) and isinstance(before[key], dict) and value:
            yield from _differences(before[key], value, f"{above}{key}.")
        elif key not in before or value != before[key]:
            if key in before and isinstance(before[key], dict):
                yield from (f"~{above}{key}.{inner}" for inner in before[key])
            else:
                yield f"{'' if key in before else '+'}{above}{key}={_literal(value)}"


def _set(params: dict, name: str, value: object) -> str:
    for key in name.split("."):
        if not isinstance(params, dict) or key not in params:
            return f"++{name}={_literal(value)}"  # or a profile has added it
        params = params[key]
    return f"{name}={_literal(value)}"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_literal(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_literal, value)) + "]"
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_]\w*", value) or value in ("true", "false", "null"):
        # Only a quote, and backslashes before one, need another backslash.
        return '"' + re.sub(r'(\\*)("|$)', lambda m: 2 * m[1] + m[2].replace('"', r"\""), value) + '"'
    return "null" if value is None else str(value)
