"""Pictures that are there twice: by content, and by their looks. They make scores better than they are.

Equal files are copies, whatever they are called. Two pictures look the same if their thumbnails correlate by
`sdr.corpus.thumbnail.SAME`: saved again in another size, quality or format, most often, but pictures of one product or one
X-ray view may look so too; so those are only named.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from sdr.base.shown import shown
from sdr.corpus.thumbnail import SAME, SIDE

EXAMPLES = 10
MOST = 20_000  # pictures of a split whose looks are asked for: evenly spaced ones of more
_CHUNK = 1024  # rows compared at a time

Thumbnails = Sequence[np.ndarray | None] | np.ndarray  # as they are stored: N×256 int8


def overlap(pictures: Mapping[str, Sequence[tuple[str, str]]]) -> dict:
    """Report pictures that are in more than one split, and copies inside a split, by content hash.

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


def compare_looks(
    pictures: Mapping[str, Sequence[tuple[str, str]]],
    looks: Mapping[str, Thumbnails],
) -> dict[str, list[tuple[str, str]]]:
    """Find pictures that look the same but are not the same file: between splits, and inside of each.

    Args:
        pictures: split → (origin, sha256) of each picture.
        looks: split → thumbnails, in the same order.

    Returns:
        "A-B" and "A" → (origin in A, origin in B) of each picture of B, or of A a later one, that looks like one of A.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for a, b in combinations(pictures, 2):
        pairs = ((pictures[a][i], pictures[b][j]) for i, j in look_alikes(looks[a], looks[b]))
        found[f"{a}-{b}"] = [(one[0], other[0]) for one, other in pairs if one[1] != other[1]]
    for split, thumbnails in looks.items():
        pairs = ((pictures[split][i], pictures[split][j]) for i, j in look_alikes_within(thumbnails))
        found[split] = [(one[0], other[0]) for one, other in pairs if one[1] != other[1]]
    return found


def look_report(alike: Mapping[str, Sequence[tuple[str, str]]]) -> dict:
    """Return what meta.json says of `compare_looks`: numbers, and up to 10 examples each."""
    return {
        "look_alikes": {parts: len(pairs) for parts, pairs in alike.items()},
        "look_alike_examples": {
            parts: [list(pair) for pair in pairs[:EXAMPLES]] for parts, pairs in alike.items() if pairs
        },
    }


def first_of_each(hashes: Sequence[str]) -> np.ndarray:
    """Return the sorted rows (int64) of the first picture of each content."""
    return np.sort(np.unique(np.array(hashes, dtype=str), return_index=True)[1])


def apart(thumbnails: Thumbnails, targets: np.ndarray) -> np.ndarray:
    """Return the sorted rows (int64) of pictures by which a network may be judged: of those of one label that look alike the first.

    So none is judged by a copy of it. A label of which fewer than two would be left keeps all: its pictures are of one kind.

    Args:
        thumbnails: of `N` pictures.
        targets: int64 N, or bool `N×C`: the same labels are one label.
    """
    label = np.unique(targets, axis=0, return_inverse=True)[1].reshape(-1)
    kept = np.ones(len(targets), dtype=bool)
    for each in range(label.max(initial=-1) + 1):
        rows = np.flatnonzero(label == each)
        own = thumbnails[rows] if isinstance(thumbnails, np.ndarray) else [thumbnails[row] for row in rows]
        later = rows[[j for _, j in look_alikes_within(own)]]
        if len(rows) - len(later) >= 2:
            kept[later] = False
    return np.flatnonzero(kept)


def look_alikes(known: Thumbnails, asked: Thumbnails) -> list[tuple[int, int]]:
    """Return (row of known, row of asked) for each asked picture that looks like a known one, which is the most alike.

    Blank pictures, whose thumbnail is None, look like nothing.
    """
    rows, x = stacked(known)
    asked_rows, y = stacked(asked, MOST)
    found: list[tuple[int, int]] = []
    if not len(x):
        return found
    for start in range(0, len(y), _CHUNK):
        best, of = _best(x, _unit(y[start : start + _CHUNK]))
        found += [(int(rows[of[i]]), int(asked_rows[start + i])) for i in np.flatnonzero(best >= SAME)]
    return found


def look_alikes_within(thumbnails: Thumbnails) -> list[tuple[int, int]]:
    """Return (an earlier row, row) for each picture that looks like an earlier one."""
    rows, x = stacked(thumbnails, MOST)
    x = _unit(x)
    found = []
    for start in range(0, len(x), _CHUNK):
        alike = x[start : start + _CHUNK] @ x[: start + _CHUNK].T
        later = np.arange(alike.shape[1]) >= np.arange(start, start + len(alike))[:, None]
        alike[later] = -1
        of = alike.argmax(1)
        found += [(int(rows[of[i]]), int(rows[start + i])) for i in np.flatnonzero(alike.max(1) >= SAME)]
    return found


def stacked(thumbnails: Thumbnails, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return rows int64 and thumbnails `M×256` (int8 or float32) of those that are not blank, at most `most`, evenly spaced."""
    if isinstance(thumbnails, np.ndarray):
        rows = np.flatnonzero(thumbnails.any(1))
    else:
        rows = np.array([row for row, thumb in enumerate(thumbnails) if thumb is not None], dtype=np.int64)
    if most is not None and len(rows) > most:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(np.int64))]
    if isinstance(thumbnails, np.ndarray):
        return rows, thumbnails[rows]
    kept = [thumbnails[row] for row in rows]
    return rows, np.stack(kept).astype(np.float32) if kept else np.empty((0, SIDE**2), dtype=np.float32)


def said(what: str, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Say how many there are, and name the first pair."""
    if pairs:
        yield f"{len(pairs):,} {what}, such as {shown(pairs[0][1])} and {shown(pairs[0][0])}"


def _unit(thumbnails: np.ndarray) -> np.ndarray:
    """Thumbnails at unit length, float32; those that are not int8 have it."""
    found = thumbnails.astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True) if thumbnails.dtype == np.int8 else found


def _best(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest correlation of each row of y with a row of x, and with which: in parts, for memory's sake."""
    best, of = np.full(len(y), -1.0, dtype=np.float32), np.zeros(len(y), dtype=np.int64)
    for start in range(0, len(x), 16 * _CHUNK):
        alike = y @ _unit(x[start : start + 16 * _CHUNK]).T
        better = alike.max(1) > best
        of[better], best[better] = start + alike.argmax(1)[better], alike.max(1)[better]
    return best, of
