"""Sizes of the clusters, coloured by the domain that most of their images come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sdr.report.style import Palette, panel

if TYPE_CHECKING:
    import pandas as pd


def draw_clusters(clusters: pd.DataFrame, palette: Palette) -> Figure:
    """Bars, largest cluster first: size, in full colour the majority domain; dashed: equal sizes."""
    figure, (axes,) = panel(2.9)
    ordered = clusters.sort_values("size", ascending=False, kind="stable")
    common = ordered.groupby("domain")["size"].sum().sort_values(ascending=False).index[: len(palette.domains)]
    colour = dict(zip(common, palette.domains, strict=False))
    colours = [colour.get(domain, palette.dots) for domain in ordered["domain"]]
    position = range(len(ordered))
    axes.bar(position, ordered["size"], width=0.86, color=colours, alpha=0.4)
    axes.bar(position, ordered["size"] * ordered["purity"].fillna(0), width=0.86, color=colours)
    axes.axhline(ordered["size"].mean(), color=palette.ink, linewidth=1, linestyle="--")
    axes.set_ylabel("images")
    axes.set_xlabel("cluster, largest first (dashed: equal sizes)")
    step = 1 if len(ordered) <= 24 else len(ordered) // 12
    axes.set_xticks(list(position)[::step], ordered["cluster"].to_list()[::step])
    axes.margins(x=0.01)
    patches = [Patch(color=value, label=name) for name, value in colour.items()]
    if ordered["domain"].nunique() > len(colour):
        patches.append(Patch(color=palette.dots, label="other"))
    figure.legend(handles=patches, loc="outside upper left", ncols=4, columnspacing=1.2, handlelength=1)
    return figure
