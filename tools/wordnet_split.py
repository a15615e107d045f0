"""Split the classes of ImageNet-1k into inanimate objects (A) and organisms (B), by WordNet's hierarchy.

    python -m tools.wordnet_split DICT_FOLDER

DICT_FOLDER holds data.noun of WordNet 3.0; splits/README.md says where it comes from.

Section 3 of the SDR paper pre-trains on two subsets of ImageNet, no class of one sharing an ancestor at
depth four with a class of the other. It prints no list of classes, so this program computes one.

Depth: the root `entity` has depth 0, and a synset has a depth for every path of hypernyms from it up to the
root. An ancestor at depth four is one that lies there on any path, and a synset counts among its own
ancestors. This links more classes than the shortest, the longest or the first path alone, so the parts share
no ancestor by those definitions either. With the root at depth 1 there would be no split: organisms and
artifacts share `whole`.

Classes that share such an ancestor, directly or through other classes, make a component, and a component
goes to a part whole: to B if its classes are organisms (below `organism, being`), else to A. One with both
kinds would be an error; ImageNet-1k has none. So B has animals, fungi, two flowers and three people; A has
artifacts, but also what comes from organisms (food, vegetables, fruit, seeds), drinks, and landscapes such
as the coral reef.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from timm.data import ImageNetInfo

from sdr.base.errors import UserError, program
from sdr.base.outputs import write_csv

DEPTH = 4
ORGANISM = "n00004475"
HYPERNYMS = ("@", "@i")  # a kind of; an instance of


@dataclass(frozen=True)
class Synset:
    """A noun of WordNet: its first lemma, with spaces, and the ids of its direct hypernyms."""

    name: str
    hypernyms: tuple[str, ...]


@program
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DICT_FOLDER", help="WordNet 3.0's folder with data.noun")
    parser.add_argument("--out", type=Path, default=Path("splits/imagenet.csv"), help="default: %(default)s")
    arguments = parser.parse_args()
    rows = split(read_nouns(arguments.folder), ImageNetInfo("imagenet-1k").label_names())
    write_csv(arguments.out, rows)
    in_a = sum(row["part"] == "A" for row in rows)
    print(f"{arguments.out}: {in_a} classes in A, {len(rows) - in_a} in B")


def split(nouns: dict[str, Synset], classes: Iterable[str]) -> list[dict[str, str]]:
    """Give each class its part.

    Args:
        nouns: WordNet, from ids such as n02084071.
        classes: ids, each once.

    Returns:
        Rows sorted by class. class: its id; part: A or B; ancestor: id and lemma of its ancestor at depth
        four, the first in order of ids if it has several; name: its lemma.

    Raises:
        UserError: a class is not in WordNet or has no ancestor at depth four, or a component has organisms
            and others.
    """
    level = at_depth(nouns, DEPTH)
    lineages = {name: lineage(nouns, name) for name in classes}
    ancestors = {name: above & level for name, above in lineages.items()}
    for name, found in ancestors.items():
        if not found:
            raise UserError(f"{name} ({nouns[name].name}) lies above depth {DEPTH}: leave it out")
    rows = []
    for component in components(ancestors):
        organisms = {name for name in component if ORGANISM in lineages[name]}
        if organisms and organisms != component:
            kinds = [f"{min(kind)} ({nouns[min(kind)].name})" for kind in (organisms, component - organisms)]
            raise UserError(f"{kinds[0]} is an organism, {kinds[1]} is not, and ancestors at depth {DEPTH} link them")
        for name in component:
            first = min(ancestors[name])
            rows.append(
                {
                    "class": name,
                    "part": "B" if organisms else "A",
                    "ancestor": f"{first} {nouns[first].name}",
                    "name": nouns[name].name,
                }
            )
    return sorted(rows, key=lambda row: row["class"])


def components(ancestors: dict[str, set[str]]) -> list[set[str]]:
    """Return the finest partition of the classes in which classes with a common ancestor are together."""
    found: list[tuple[set[str], set[str]]] = []  # classes, their ancestors
    for name, above in ancestors.items():
        classes, shared, others = {name}, set(above), []
        for other in found:
            if other[1] & above:
                classes |= other[0]
                shared |= other[1]
            else:
                others.append(other)
        found = [*others, (classes, shared)]
    return [classes for classes, _ in found]


def at_depth(nouns: dict[str, Synset], depth: int) -> set[str]:
    """Return the synsets `depth` steps below a root on any path; roots are those without hypernyms."""
    level = {name for name, synset in nouns.items() if not synset.hypernyms}
    for _ in range(depth):
        level = {name for name, synset in nouns.items() if not level.isdisjoint(synset.hypernyms)}
    return level


def lineage(nouns: dict[str, Synset], name: str) -> set[str]:
    """Return a synset and all its ancestors, on all paths.

    Raises:
        UserError: it or an ancestor is not among `nouns`.
    """
    found: set[str] = set()
    waiting = [name]
    while waiting:
        synset = waiting.pop()
        if synset not in nouns:
            raise UserError(f"WordNet has no synset {synset}, which {name} needs: ImageNet's ids are WordNet 3.0's")
        if synset not in found:
            found.add(synset)
            waiting += nouns[synset].hypernyms
    return found


def read_nouns(folder: Path) -> dict[str, Synset]:
    """Read WordNet's data.noun into synsets by id: `n` and the eight digits of the offset.

    Format: https://wordnet.princeton.edu/documentation/wndb5wn

    Raises:
        UserError: there is no such file, or a line of it is no synset.
    """
    path = folder / "data.noun"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file; splits/README.md says where WordNet 3.0 comes from") from None
    nouns = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith("  "):  # the license
            continue
        try:
            nouns["n" + line[:8]] = _synset(line)
        except (IndexError, ValueError):
            raise UserError(f"{path}: line {number} is not a noun of WordNet's database") from None
    return nouns


def _synset(line: str) -> Synset:
    """Parse `offset file n count (lemma id)*count count (symbol offset n source)*count | gloss`."""
    fields = line.split(" | ")[0].split()
    if len(fields[0]) != 8 or not fields[0].isdecimal() or fields[2] != "n":
        raise ValueError(line)
    pointers = 4 + 2 * int(fields[3], 16)  # lemmas are counted in hexadecimal, pointers in decimal
    starts = [pointers + 1 + 4 * index for index in range(int(fields[pointers]))]
    hypernyms = tuple("n" + fields[start + 1] for start in starts if fields[start] in HYPERNYMS)
    return Synset(name=fields[4].replace("_", " "), hypernyms=hypernyms)


if __name__ == "__main__":
    main()
