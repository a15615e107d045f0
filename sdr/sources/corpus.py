"""Prepare the corpus: read every picture of the source once, and write what is known of it and what is kept of it."""

import io
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from pydantic import Field, model_validator
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.base.outputs import write_json
from sdr.base.params import Section
from sdr.corpus import location
from sdr.corpus.decode import BadPicture, decode
from sdr.corpus.entries import Entry, Loaded, Skipped, from_image, read_all
from sdr.corpus.images import flatten, ground
from sdr.corpus.store import Store, write_images
from sdr.corpus.thumbnail import FILE as THUMBNAILS
from sdr.corpus.thumbnail import to_bytes
from sdr.sources import builtin, folder, torchvision_source
from sdr.sources.corpus_files import look
from sdr.sources.manifest import Files
from sdr.sources.watched import CORPUS, check_files, check_read

COARSE = 8  # side, pixels, at which a picture is decoded that is only checked: JPEGs take a third of the time


class Reencode(Section):
    """JPEG again, smaller: section `data.reencode`."""

    side: int = Field(ge=8, le=4096)
    """Short side in pixels; a picture that is not larger keeps its bytes."""
    quality: int = Field(ge=1, le=100)
    """Of JPEG."""


class Data(Section):
    """Where the corpus comes from and how it is stored: section `data`."""

    source: str = Field(pattern=r"^(builtin|folder|imagenet|torchvision:\w+)$")
    """builtin | folder | imagenet | torchvision:NAME."""
    side: int = Field(ge=8, le=1024)
    """Side of an image in pixels."""
    store: Store
    """Decoded squares | encoded: the files' bytes | files: only a list of them, which are read where they lie."""
    reencode: Reencode | None
    """Of `encoded`: None keeps the files' own bytes."""
    max_bad_fraction: float = Field(ge=0, lt=1)
    """Share of unreadable files that are skipped and counted before it is an error."""

    @model_validator(mode="after")
    def _reencode_fits(self) -> "Data":
        if self.reencode and self.store != "encoded":
            raise ValueError(f"reencode is for store: encoded, not {self.store}; set it to null")
        if self.reencode and self.reencode.side < self.side:
            raise ValueError(f"reencode.side {self.reencode.side} is smaller than side {self.side}")
        return self


def prepare(data: Data, target: Path, listed: Files | None = None) -> dict:
    """Write images.arrow, thumbnails.i8 and meta.json into `target`; return meta. Memory does not grow with the number of pictures.

    Every file is decoded completely however it is stored, so that training meets no bad file.

    Args:
        data: the section `data`.
        target: an empty folder.
        listed: the manifest that the files must agree with; None: whatever is there is taken.

    Raises:
        UserError: the source is missing, empty, differs from the manifest, or has too many unreadable files; or it has no
            files, whose bytes could be kept or which could be read on the fly.
    """
    if data.store != "decoded" and data.source not in ("folder", "imagenet"):
        raise UserError(
            f"data.store: {data.store} needs files of source folder or imagenet, not {data.source}; set decoded"
        )
    if listed is not None:
        check_files(look(data.source), listed)
    dropped: Counter = Counter()
    domains: Counter = Counter()
    entries, where, remarks = _source(data.source, dropped)
    skipped = Skipped(data.max_bad_fraction, where)
    entries = (entry._replace(load=partial(_load, entry, data.reencode)) for entry in entries)

    def rows(looks: BinaryIO) -> Iterator[tuple]:
        pictures = read_all(entries, data.side if data.store == "decoded" else COARSE, skipped)
        for entry, loaded in tqdm(pictures, desc="prepare", unit=" images", disable=None):
            domains[entry.domain] += 1
            looks.write(to_bytes(loaded.thumbnail).tobytes())
            check_read("data", CORPUS, listed or {}, [(entry.origin, loaded.sha256)])
            content = loaded.pixels.tobytes() if data.store == "decoded" else loaded.content
            yield (entry.domain, entry.origin, *loaded[:4], content)

    how = {"size": data.side, "reencode": data.reencode and data.reencode.model_dump()}
    with (target / THUMBNAILS).open("wb") as looks:
        fingerprint = write_images(target, data.store, rows(looks), how)
    n = domains.total()
    skipped.check(n)
    meta = {
        "source": data.source,
        "n": n,
        "store": data.store,
        **how,
        "domains": dict(domains),
        "skipped": skipped.reasons,
        "turned": len(skipped.noted.get("turned", ())),
        "few_levels": len(skipped.noted.get("few levels", ())),
        "warnings": [*skipped.remarks(), *remarks],
        "duplicates_dropped": dropped["near-duplicate"] + dropped["like a task"],
        "like_a_task_dropped": dropped["like a task"],
        "blank_dropped": dropped["blank"],
        "fingerprint": fingerprint,
    }
    write_json(target / "meta.json", meta)
    return meta


def _load(entry: Entry, reencode: Reencode | None, size: int) -> Loaded:
    """Read a picture; what is kept of its file is encoded again if asked."""
    try:
        entry.origin.encode()
    except UnicodeEncodeError:
        raise BadPicture("its name is not UTF-8 and could not be written; rename it") from None
    loaded = entry.load(size)
    if reencode is None or min(loaded.width, loaded.height) <= reencode.side:
        return loaded
    return loaded._replace(content=encode_again(loaded.content, entry.origin, reencode))


def encode_again(content: bytes, origin: str, how: Reencode) -> bytes:
    """Return a picture as JPEG, its short side resized (bicubic) to `how.side`; a transparent one on its ground."""
    image = flatten(decode(content, how.side, upright=True).image, lambda ink: ground(origin, ink))
    scale = how.side / min(image.size)
    image = image.resize([round(scale * side) for side in image.size], Image.Resampling.BICUBIC)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=how.quality)
    return encoded.getvalue()


def _source(source: str, dropped: Counter) -> tuple[Iterator[Entry], str, list[str]]:
    """Return the entries of a source, how to call it in a message, and what is to be known of its folder."""
    if source == "builtin":
        return _builtin(dropped), "built-in corpus", []
    root = location.root(location.CORPUS)
    if source == "folder":
        entries, remarks = folder.tree(root)
        return iter(entries), str(root), remarks
    if source == "imagenet":
        entries, remarks = folder.imagenet(root)
        return iter(entries), str(root / "train"), remarks
    return torchvision_source.entries(source.removeprefix("torchvision:"), root), f"{source} in {root}", []


def _builtin(dropped: Counter) -> Iterator[Entry]:
    for domain, picture in builtin.corpus(dropped):
        yield Entry(domain, picture.origin, partial(from_image, picture.image, picture.origin))
