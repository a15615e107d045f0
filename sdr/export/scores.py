"""What the evaluation beside a super-net says of one of its networks, for the model card."""

import json
from pathlib import Path

from sdr.export.card import Score


def evaluated_scores(root: Path, network: str | int, weights: str) -> tuple[Score, ...]:
    """Test scores of a network, by task and protocol, from `eval/` in the super-net's directory.

    Left out is what was measured on other weights: those of another run, or, of a sub-net, of the one that another task
    was routed to. Without `eval/` there is none.

    Args:
        root: the super-net's directory.
        network: "baseline", "w0", or the number of a sub-net.
        weights: SHA-256 of the network's exported weights.
    """
    name = "sdr" if isinstance(network, int) else network
    found = []
    for file in sorted((root / "eval" / name).glob("*.json")):
        evaluation = _read(file)
        if evaluation.get("weights") != weights:
            continue
        result = evaluation["networks"][name]
        metric = evaluation["metric"].replace("_", " ")
        low, high = result["linear_interval"]
        found += [
            Score(file.stem, f"linear, {metric}", result["linear"], (low, high)),
            Score(file.stem, f"kNN, {metric}", result["knn"]),
        ]
    return tuple(found)


def _read(file: Path) -> dict:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):  # half-pulled, say: the card does without
        return {}
