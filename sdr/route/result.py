"""A finished search on disk: ranking.csv, a row a sub-net, and route.json, the choice and what it cost."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sdr.base.outputs import write_csv, write_json
from sdr.evaluate.knn import Knn
from sdr.nets.paths import path_of
from sdr.route.bundle import Bundle
from sdr.route.candidates import Choice
from sdr.route.search import Labelled, Ranking, Search

RECOMMENDED = "recommended"  # in a route's folder: the network that the verdict says to take, whichever it is


def write_result(out: Path, bundle: Bundle, task: Labelled, ranking: Ranking, params: Search, knn: Knn) -> dict:
    """Write both files into the existing directory `out`; return the content of route.json.

    Columns of ranking.csv: rank, subnet, path, cluster_size, prior (share of the task's images in its cluster),
    images (how many it was scored on; 0: not tried), score, gain (over the baseline's on the same images).

    In route.json `subnet`, `path`, `best`, `value` and `images` are of the best sub-nets by the score and of the images that decided
    between them, where `baseline` and `w0` scored too; `choice` is what is taken of all candidates, with `gain`; `recommended` what
    the `verdict` says to take.
    """
    groups, tried = bundle.trained.spec.groups, {c.subnet: c for c in ranking.candidates}
    order = [*tried, *(i for i in range(bundle.trained.n_subnets) if i not in tried)]
    rows = []
    for rank, i in enumerate(order, start=1):
        found = tried.get(i)
        rows.append(
            {
                "rank": rank,
                "subnet": i,
                "path": _path(i, groups),
                "cluster_size": int(bundle.sizes[i]),
                "prior": round(float(ranking.prior[i]), 4),
                "images": found.images if found else 0,
                "score": round(found.score, 4) if found else "",
                "gain": round(found.score - found.baseline, 4) if found else "",
            }
        )
    write_csv(out / "ranking.csv", rows)
    best, gain = ranking.winner, ranking.decision.gain
    route = {
        "task": task.name,
        "subnet": best.subnet,
        "path": _path(best.subnet, groups),
        "best": [candidate.subnet for candidate in ranking.candidates[: params.top_m]],
        "method": params.method,
        "score": params.score,
        "value": round(best.score, 4),
        "baseline": round(ranking.baseline, 4),
        "w0": round(ranking.supernet, 4),
        "images": best.images,
        "tried": len(tried),
        "forwards": ranking.forwards,
        "macs": ranking.macs,
        "exhaustive_macs": ranking.exhaustive,
        "choice": ranking.decision.choice.facts(bundle.trained),
        "recommended": ranking.decision.recommended.facts(bundle.trained),
        "gain": None if gain is None else {name: round(value, 4) for name, value in asdict(gain).items()},
        "verdict": ranking.decision.verdict,
        "candidates": ranking.decision.judged,
        **knn.model_dump(),
    }
    write_json(out / "route.json", route)
    return route


def members(choice: Choice, best: Sequence[int]) -> list[Choice]:
    """What is exported: the choice, which need not be a sub-net, and of the best sub-nets as many others as make `best`'s number."""
    others = [other for other in (Choice("subnets", number) for number in best) if other != choice]
    return [choice, *others[: len(best) - 1]]


def in_words(route: dict, metric: str) -> str:
    """How the choice did, for people."""
    return f"{scored(route, metric)}; gain {promise(route)}: {route['verdict']}"


def scored(route: dict, metric: str) -> str:
    """The scores on the images that the choice was made on, and the search's cost."""
    name = f"leave-one-out kNN ({metric.replace('_', ' ')}), %" if route["score"] == "knn" else route["score"]
    return (
        f"{name}: best sub-net {route['value']:.2f}, baseline {route['baseline']:.2f}, on {route['images']:,} training images; "
        f"search {route['method']}, {route['macs'] / route['exhaustive_macs']:.0%} of the multiply-adds of an exhaustive one"
    )


def promise(route: dict) -> str:
    """The gain of the choice over the baseline on images that it was not made on."""
    gain = route["gain"]
    if gain is None:
        return "not known, for too few images"
    return (
        f"{gain['mean']:+.2f} points over the baseline (95 % interval {gain['low']:+.2f} to {gain['high']:+.2f}), on images that "
        "the choice was not made on"
    )


def _path(number: int, groups: int) -> str:
    return "-".join(map(str, path_of(number, groups)))
