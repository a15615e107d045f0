"""The same picture twice, in two splits or in one, by content hash."""

from collections.abc import Mapping, Sequence
from itertools import combinations

EXAMPLES = 10


def overlap(pictures: Mapping[str, Sequence[tuple[str, str]]]) -> dict:
    """Report pictures that are in more than one split, and copies inside a split.

    Args:
        pictures: split → (origin, sha256) of each picture.

    Returns:
        "overlap": "A-B" → number of contents that both splits have, for each pair of splits;
        "overlap_examples": "A-B" → origins of up to 10 of them, as pairs;
        "duplicates": split → number of pictures that are copies of an earlier one in it;
        "duplicate_examples": split → origins of up to 10 copies, as pairs (earlier, copy).
    """
    first: dict[str, dict[str, str]] = {}  # split → sha256 → origin
    copies: dict[str, list[list[str]]] = {}
    for split, rows in pictures.items():
        first[split], copies[split] = {}, []
        for origin, sha256 in rows:
            if sha256 in first[split]:
                copies[split].append([first[split][sha256], origin])
            first[split].setdefault(sha256, origin)
    shared = {
        f"{a}-{b}": [[origin, first[b][sha256]] for sha256, origin in first[a].items() if sha256 in first[b]]
        for a, b in combinations(first, 2)
    }
    return {
        "overlap": {pair: len(found) for pair, found in shared.items()},
        "overlap_examples": {pair: found[:EXAMPLES] for pair, found in shared.items() if found},
        "duplicates": {split: len(found) for split, found in copies.items()},
        "duplicate_examples": {split: found[:EXAMPLES] for split, found in copies.items() if found},
    }
