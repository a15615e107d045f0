"""A short trial on a person's own pictures: what the whole run would take on this machine, from times measured here."""

import io
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from sdr.base.ranks import pick_device
from sdr.corpus.location import CORPUS
from sdr.nets.backbone import resnet
from sdr.nets.embed import features
from sdr.sources.corpus import prepare
from tools.dry_facts import count_facts
from tools.dry_pipeline import walk
from tools.dry_run import environment, read_profile

SAMPLE, STEPS = 256, 3
SMALL_VIEW, SMALL_BATCH = 64, 8  # on a CPU larger views are tried with so few a step, and scaled


def trial(text: str, files: list[Path], pictures: Mapping[str, int], where: Path) -> dict[str, Any]:
    """Try the pipeline on a sample of the pictures.

    Args:
        text: the parameters.
        files: of the corpus.
        pictures: labelled ones of each task.
        where: the disk that the run will fill.

    Returns:
        seconds: stage → seconds of the whole run; memory, disk, free: bytes; device: in words.
    """
    n = len(files)
    with TemporaryDirectory(prefix="sdr-init-") as name, environment(Path(name)) as folder:
        (folder / "profile.yaml").write_text(text, encoding="utf-8")
        params = read_profile(folder / "profile.yaml", folder)
        _link(files, folder / "images")
        os.environ[CORPUS] = str(folder / "images")
        device = pick_device()
        whole = params["pretrain"].optimization.batch_size
        small = device.type == "cpu" and params["views"].side > SMALL_VIEW
        batch = min(whole, SMALL_BATCH if small else whole, max(2, min(n, SAMPLE) // 2))
        (folder / "read").mkdir()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # progress of three steps says nothing
            started = time.perf_counter()
            prepare(params["data"], folder / "read")
            reading = (time.perf_counter() - started) / min(n, SAMPLE)
            found, facts = walk(params, folder, STEPS, batch, device), count_facts(params, n)
        each = {kind: value / batch for kind, value in found.seconds.items()}
        showing = _showing(params, device)
    labelled, networks = (
        sum(pictures.values()),
        params["n_subnets"] + 4,
    )  # W_0, the baseline, and both once more to test
    seconds = {
        "reading": reading * (n + labelled),
        "baseline": facts.baseline.images * each["baseline"],
        "SDR": facts.sdr.images * facts.mean_of_sdr(each),
        "features": showing * (n + labelled * networks),
    }
    stored = found.stored * n + labelled * 3 * params["embed"].side ** 2
    disk = 2 * stored + 8 * found.checkpoint  # DVC's cache holds it once more; three checkpoints, and networks
    memory = found.peak_mib * 2**20
    return {
        "seconds": seconds,
        "memory": memory,
        "disk": disk,
        "free": shutil.disk_usage(where).free,
        "device": found.device,
    }


def in_words(found: Mapping[str, Any]) -> str:
    """The estimate for people."""
    stages = ", ".join(f"{stage} {_time(value)}" for stage, value in found["seconds"].items())
    return (
        f"about {_time(sum(found['seconds'].values()))} on {found['device']} ({stages}; classifiers and the page come on "
        f"top), {found['memory'] / 1e9:.1f} GB of memory, {found['disk'] / 1e9:.1f} GB of disk ({found['free'] / 1e9:.0f} "
        "GB are free)"
    )


def _link(files: list[Path], folder: Path) -> None:
    """Links to a sample, evenly spaced."""
    folder.mkdir()
    for i in np.unique(np.linspace(0, len(files) - 1, min(SAMPLE, len(files))).astype(int)):
        (folder / f"{i}{files[i].suffix}").symlink_to(files[i].absolute())


def _showing(params: Mapping[str, Any], device: torch.device) -> float:
    """Seconds to compute the features of one image."""
    spec, show = params["backbone"], params["embed"]
    network, count = resnet(spec, spec.subnet_widths).eval().to(device), min(show.batch_size, 64)
    images = np.zeros((count, show.side, show.side, 3), dtype=np.uint8)
    features(network, images, show, device)
    started = time.perf_counter()
    features(network, images, show, device)
    return (time.perf_counter() - started) / count


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
