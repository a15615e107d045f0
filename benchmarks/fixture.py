"""What the benchmarks of training work on: a profile's parameters, and a corpus, stored or fabricated; and their facts."""

import os
import sys
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from benchmarks.decoding import jpegs
from benchmarks.measure import machine
from sdr.base.outputs import write_json
from sdr.base.profiles import complete
from sdr.corpus.store import ImageStore, write_images
from sdr.train.jobs import Common

LOW_LR = 1e-6  # weights stay where they are: no network collapses on fabricated images, and the time is the same


def read_profile(path: Path, size: int | None = None, batch: int | None = None) -> dict:
    """Read a params.yaml or a profile; change the side of a view and the images of a step if wanted."""
    values = YAML(typ="safe").load(complete(path))
    if size:
        values["views"]["side"] = size
        values["data"]["side"] = max(size, values["data"]["side"])
    for section in ("pretrain", "sdr"):
        values[section]["optimization"] |= {"lr": LOW_LR} | ({"batch_size": batch} if batch else {})
    return values


def common(values: dict) -> Common:
    """The parameters that both trainings share."""
    return Common(**{f.name: TypeAdapter(f.type).validate_python(values[f.name], strict=True) for f in fields(Common)})


def fabricate(folder: Path, size: int, store: str, n: int) -> ImageStore:
    """Write a corpus of `n` pictures, 64 of them different: decoded squares of `size`, or JPEGs of 500 × 375."""
    if store == "decoded":
        random = np.random.default_rng(0)
        coarse = random.integers(0, 256, (64, size // 8 + 1, size // 8 + 1, 3))
        fine = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :size, :size] + random.normal(0, 10, (64, size, size, 3))
        contents = [picture.tobytes() for picture in fine.clip(0, 255).astype(np.uint8)]
        width, height = size, size
    else:
        contents, (width, height), store = jpegs(), (500, 375), "encoded"
    rows = (
        ("made", f"{i}", f"{i % 64:064x}", len(contents[i % 64]), width, height, contents[i % 64]) for i in range(n)
    )
    look = {"size": size, "reencode": None}
    fingerprint = write_images(folder, store, rows, look)
    meta = {"source": "fabricated", "n": n, "store": store, "domains": {"made": n}, "fingerprint": fingerprint}
    write_json(folder / "meta.json", meta | look)
    return ImageStore.open(folder)


def facts(device: str, **more: object) -> dict[str, object]:
    """The machine, its load, the versions, the command and the date; and more."""
    found = machine(device)
    for package in ("torchvision", "timm", "lightly"):
        try:
            found["versions"][package] = version(package)
        except PackageNotFoundError:
            pass
    command = " ".join(["python -m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    now = datetime.now(UTC).isoformat(timespec="minutes")
    return found | {"load_average": [round(x, 2) for x in os.getloadavg()], "command": command, "date": now} | more
