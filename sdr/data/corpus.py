"""Prepare the corpus: read every picture of the source once, write the index and, packed, the pixels."""

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from pydantic import Field
from tqdm import tqdm

from sdr.data import builtin, folder, location, torchvision_source
from sdr.data.entries import Entry, Skipped, from_image, read_all
from sdr.data.pack import Pack
from sdr.data.store import write_index
from sdr.errors import UserError
from sdr.params import Section


class Data(Section):
    """Where the corpus comes from and how it is stored: section `data`."""

    # builtin | folder | imagenet | torchvision:NAME
    source: str = Field(pattern=r"^(builtin|folder|imagenet|torchvision:\w+)$")
    # stored side in pixels
    size: int = Field(ge=8, le=1024)
    # decode once into one memory-mapped file; false reads the files on the fly
    pack: bool
    # share of unreadable files that are skipped and counted before it is an error
    max_bad_fraction: float = Field(ge=0, lt=1)


def prepare(data: Data, target: Path) -> dict:
    """Write index.csv, meta.json and, if packed, images.npy (N×S×S×3 uint8) into `target`; return meta.

    Every file is decoded completely even if it is not packed, so that training meets no bad file.

    Raises:
        UserError: the source is missing, empty, or has too many unreadable files; or it has no files to be
            read on the fly.
    """
    if not data.pack and data.source not in ("folder", "imagenet"):
        raise UserError(f"data.pack: false needs files to read on the fly, {data.source} has none; set true")
    dropped: Counter = Counter()
    entries, where = _source(data.source, dropped)
    skipped = Skipped(data.max_bad_fraction, where)
    rows = []
    with Pack(target / "images.npy", data.size) if data.pack else nullcontext() as pack:
        pictures = read_all(entries, data.size, skipped)
        for entry, loaded in tqdm(pictures, desc="prepare", unit=" images", disable=None):
            rows.append((entry.domain, entry.origin, *loaded[:4]))
            if pack is not None:
                pack.append(loaded.pixels)
    skipped.check(len(rows))
    return write_index(
        target,
        rows,
        {
            "source": data.source,
            "size": data.size,
            "n": len(rows),
            "packed": data.pack,
            "domains": dict(Counter(row[0] for row in rows)),
            "skipped": skipped.reasons,
            "duplicates_dropped": dropped["near-duplicate"] + dropped["like a task"],
            "like_a_task_dropped": dropped["like a task"],
            "blank_dropped": dropped["blank"],
        },
    )


def _source(source: str, dropped: Counter) -> tuple[Iterator[Entry], str]:
    """Return the entries of a source and how to call it in a message."""
    if source == "builtin":
        return _builtin(dropped), "built-in corpus"
    root = location.root(location.CORPUS)
    if source == "folder":
        return iter(folder.tree(root)), str(root)
    if source == "imagenet":
        return iter(folder.imagenet(root)), str(root / "train")
    return torchvision_source.entries(source.removeprefix("torchvision:"), root), f"{source} in {root}"


def _builtin(dropped: Counter) -> Iterator[Entry]:
    for domain, picture in builtin.corpus(dropped):
        yield Entry(domain, picture.origin, partial(from_image, picture.image, picture.origin))
