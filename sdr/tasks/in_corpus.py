"""Pictures of a person's own task that look like one of the corpus: the networks saw them without their labels."""

from collections.abc import Iterator
from pathlib import Path

from sdr.corpus.records import Records
from sdr.corpus.store import FILE
from sdr.corpus.thumbnail import read_thumbnails
from sdr.tasks.copies import EXAMPLES, look_alikes, said
from sdr.tasks.judged import thumbnails
from sdr.tasks.task import Task


def in_corpus(folder: str | Path, corpus: str | Path) -> dict[str, list[tuple[str, str]]]:
    """Compare a prepared task with a prepared corpus by looks.

    Args:
        folder: of the task; one without thumbnails is no person's own and is not compared.
        corpus: of the corpus; where there is none, as when a stage runs by hand, nothing is compared.

    Returns:
        split → (origin in the corpus, origin in the task) of each of the task's pictures that looks like one of the corpus; of
        a split above `copies.MOST` pictures so many are asked for, evenly spaced.
    """
    corpus = Path(corpus)
    if not (corpus / FILE).exists():
        return {}
    task = Task.open(folder)
    found = {split: thumbnails(task, split) for split, names in task.origins.items() if names}
    looks = {split: own for split, own in found.items() if own is not None}
    if not looks:
        return {}
    known, origins = read_thumbnails(corpus), list(Records(corpus / FILE).column("origin"))
    return {
        split: [(origins[i], task.origins[split][j]) for i, j in look_alikes(known, own)]
        for split, own in looks.items()
    }


def report(alike: dict[str, list[tuple[str, str]]]) -> dict:
    """What route.json says of `in_corpus`: numbers, and up to 10 examples each; nothing where nothing was compared."""
    if not alike:
        return {}
    return {
        "in_corpus": {split: len(pairs) for split, pairs in alike.items()},
        "in_corpus_examples": {
            split: [list(pair) for pair in pairs[:EXAMPLES]] for split, pairs in alike.items() if pairs
        },
    }


def warnings(alike: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """The same for people."""
    for split, pairs in alike.items():
        yield from said(f"pictures of {split} look like one of the corpus (route.json: in_corpus_examples)", pairs)
