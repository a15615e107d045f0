"""What the evaluation beside a super-net says of one of its networks, for the model card."""

import json
from pathlib import Path

from sdr.export.card import Score
from sdr.route.bundle import Bundle


def evaluated_scores(bundle: Bundle, network: str | int) -> tuple[Score, ...]:
    """Test scores of a network, by task and protocol, from `eval/` and `route/` in the super-net's directory.

    Left out is what was measured on other weights than the sealed ones, and of a sub-net every task that it was not
    chosen for; without `eval/` there is none.
    """
    folder = bundle.root / "eval" / ("baseline" if network == "baseline" else "sdr")
    found = []
    for file in sorted(folder.glob("*.json")):
        evaluation = _read(file)
        weights = evaluation.get("weights")
        if not weights or any(bundle.seal["files"].get(name) != digest for name, digest in weights.items()):
            continue
        if (
            isinstance(network, int)
            and _read(bundle.root / "route" / file.stem / "route.json").get("subnet") != network
        ):
            continue
        result = evaluation["networks"]["sdr" if isinstance(network, int) else network]
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
