"""A test split for a task that has none: a share of each class, by the hash of a file's name."""

import hashlib
from collections import defaultdict

from sdr.corpus.entries import Entry


def hold_out_test(entries: list[Entry], fraction: float) -> tuple[list[Entry], list[Entry]]:
    """Split the entries of a task into train and test, each in the order in which they came.

    Of each class (of each set of labels, where there are several) the files with the lowest hashes of their path are
    held out: at least one of three or more, none of fewer. So it needs no list and is the same on every machine; a new
    picture moves others only at the edge. Copies can land on both sides: preparing the task counts them.

    Args:
        entries: of the whole task, origins relative to the folder of the tasks.
        fraction: of each class, in (0, 1).
    """
    by_class = defaultdict(list)
    for entry in entries:
        by_class[entry.domain].append(entry.origin)
    held = set()
    for origins in by_class.values():
        count = 0 if len(origins) < 3 else min(len(origins) - 2, max(1, round(fraction * len(origins))))
        held |= set(sorted(origins, key=_hash)[:count])
    return [e for e in entries if e.origin not in held], [e for e in entries if e.origin in held]


def _hash(origin: str) -> bytes:
    inside = origin.partition("/")[2]  # a task's folder may be renamed
    return hashlib.sha256(inside.encode(errors="surrogateescape")).digest()
