"""Any image data set of torchvision, by the name of its class, from files that are already there."""

import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from sdr.base.errors import UserError
from sdr.corpus.decode import BadPicture, fault_of_the_file
from sdr.corpus.entries import Entry, Loaded, from_image


def entries(name: str, root: Path) -> Iterator[Entry]:
    """Return the pictures of `torchvision.datasets.NAME(root)`; the domain is the class, where there is one.

    The split is torchvision's default (train, for most). Nothing is ever downloaded.

    Raises:
        UserError: there is no such data set, or its files are not where torchvision expects them.
    """
    import torchvision

    known = torchvision.datasets.__all__
    if name not in known:
        raise UserError(f"data.source: torchvision has no data set {name}; it has {', '.join(sorted(known))}")
    kind = getattr(torchvision.datasets, name)
    accepted = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {"root": str(root)} if "root" in accepted else {}
    if "download" in accepted:
        arguments["download"] = False
    try:
        dataset = kind(**arguments)
    except (RuntimeError, OSError, ValueError, TypeError, ImportError) as error:
        raise UserError(
            f"torchvision:{name}: not usable from {root} (SDR_DATA): {error}; put its files there as "
            f"`torchvision.datasets.{name}({str(root)!r}, download=True)` lays them out"
        ) from None
    return _entries(name, dataset)


def _entries(name: str, dataset: Any) -> Iterator[Entry]:
    classes = getattr(dataset, "classes", None)
    fields = ("targets", "_labels", "labels")  # different data sets name them so
    targets = next((getattr(dataset, field) for field in fields if hasattr(dataset, field)), None)
    for index in range(len(dataset)):
        origin = f"torchvision:{name}#{index}"
        domain = str(classes[int(targets[index])]) if classes is not None and targets is not None else name
        yield Entry(domain, origin, partial(_load, dataset, index, origin))


def _load(dataset: Any, index: int, origin: str, size: int) -> Loaded:
    with fault_of_the_file():
        item = dataset[index]
    image = item[0] if isinstance(item, tuple) else item
    if not isinstance(image, Image.Image):
        raise BadPicture(f"a {type(image).__name__} and not a picture")
    return from_image(image, origin, size)
