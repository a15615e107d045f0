"""Figures of a page: drawn for light and dark, written as PNG beside it, and inlined."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdr.report.style import DARK, LIGHT, Palette, render


@dataclass(frozen=True)
class Drawing:
    """A figure: `name` is its file name and anchor, `title` stands above it, `alt` says it in words, `caption` how to read it."""

    name: str
    title: str
    alt: str
    caption: str
    draw: Callable[[Palette], Any]


def write_pictures(drawings: Iterable[Drawing], folder: Path) -> dict[str, dict[str, str]]:
    """Write `NAME.png`, the light ones, into a folder that is made.

    Returns:
        name → {"light", "dark", "title", "alt", "caption"}, images as data addresses.
    """
    folder.mkdir()
    found = {}
    for drawing in drawings:
        light = render(drawing.draw, LIGHT)
        (folder / f"{drawing.name}.png").write_bytes(light)
        found[drawing.name] = {
            "light": data_address(light),
            "dark": data_address(render(drawing.draw, DARK)),
            "title": drawing.title,
            "alt": drawing.alt,
            "caption": drawing.caption,
        }
    return found


def data_address(image: bytes, kind: str = "png") -> str:
    """An image as an address that holds it."""
    return f"data:image/{kind};base64," + base64.b64encode(image).decode()
