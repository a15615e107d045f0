"""What differs between two descriptions, in words."""

import json
from collections.abc import Iterator


def differences(old: object, new: object, at_most: int = 12) -> list[str]:
    """What differs between two JSON values, as lines `params.seed: 0 → 1`; of more than `at_most` the first."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    lines = [f"{name}: {_short(before.get(name))} → {_short(after.get(name))}" for name in changed]
    return lines if len(lines) <= at_most else [*lines[:at_most], f"and {len(lines) - at_most} more"]


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, value as JSON) of all that is neither a list nor a mapping with something in it."""
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.dumps(value, ensure_ascii=False)


def _short(text: str | None) -> str:
    if text is None:
        return "(absent)"
    return text if len(text) <= 40 else f"{text[:20]}…{text[-8:]}"
