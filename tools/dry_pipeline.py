"""The pipeline from files to an exported sub-net, at a profile's own sizes but for few steps on few images."""

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import timm
import torch

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.cluster.prototypes import fit
from sdr.corpus.store import FILE, ImageStore
from sdr.nets.calibrate import calibrate, sample
from sdr.nets.embed import embed, evaluation_view
from sdr.nets.folder import save_resnet
from sdr.nets.paths import path_of
from sdr.route.trained import TrainedSdr
from sdr.sources.corpus import prepare
from sdr.ssl.folder import count, load_network, save_network
from sdr.ssl.simsiam import SimSiam
from sdr.train.jobs import Common, baseline, sdr
from sdr.train.loop import train
from sdr.train.networks import load_baseline
from sdr.train.schedule import W0, Schedule
from sdr.train.training import Training


@dataclass(frozen=True)
class Walk:
    """What came of it.

    Attributes:
        stored: bytes of an image in the prepared store.
        seconds: median of a step in the whole loop: "baseline", "W_0", "sub-net" with its teacher.
        peak_mib: most memory: of the GPU's allocator, or of this process.
        checkpoint: bytes of one of SDR's.
        clusters: which there were, in words.
        exported: parameters of the sub-net that timm read back.
        batch: images a step.
        timed: how many steps of a kind were timed.
        device: where, in words.
        resident: whether all images were in the device's memory.
    """

    stored: float
    seconds: dict[str, float]
    peak_mib: float
    checkpoint: int
    clusters: str
    exported: int
    batch: int
    timed: int
    device: str
    resident: bool


@dataclass(frozen=True)
class Alternating(Schedule):
    """Every other step trains W_0, those between the first and the last sub-net in turn: all kinds of steps in few of them."""

    def network(self, step: int) -> int:
        """`W0`, or the number of a sub-net."""
        return W0 if step % 2 == 0 else (0, self.n_subnets - 1)[step // 2 % 2]


class Clock:
    """Takes the time after each step of a training."""

    def __init__(self, job: Training, device: torch.device):
        self._job, self._device = job, device
        self._ends: list[float] = []

    def __call__(self, step: int, network: int) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._ends.append(perf_counter())

    def seconds(self) -> dict[bool, float]:
        """Median of a step, by whether it trained W_0; the first of each kind, a warm-up, does not count."""
        found: dict[bool, list[float]] = defaultdict(list)
        for step, seconds in enumerate(np.diff(self._ends, prepend=0.0)):
            found[self._job.schedule.network(step) == W0].append(seconds)
        return {kind: float(np.median(values[1:])) for kind, values in found.items()}


def walk(params: dict[str, Any], folder: Path, steps: int, batch: int, device: torch.device) -> Walk:
    """Walk from the files that $SDR_DATA names to a sub-net that timm reads; write into `folder`.

    Args:
        params: validated sections by name.
        steps: of each kind.
        batch: images a step.
        device: where to train.
    """
    shared, n = Common.of(params), params["n_subnets"]
    places = {name: folder / name for name in ("data", "baseline", "sdrnet", "backbone")}
    for place in places.values():
        place.mkdir()
    prepare(params["data"], places["data"])
    data = ImageStore.open(places["data"])

    job = baseline(_short(params["pretrain"], steps, batch, len(data)), shared, len(data), len(data))
    clock = Clock(job, device)
    network, _, cost = train(job, data, None, device, on_step=clock)
    _calibrate(network.backbone, data, np.arange(len(data)), params, device)
    save_network(places["baseline"], network, job.spec, shared.heads)
    seconds, peak = {"baseline": clock.seconds()[True]}, cost["peak_mib"]

    backbone = load_network(places["baseline"], device)[0].backbone
    found = embed(backbone, data.read(np.arange(len(data))), params["embed"], device)
    assignment, clusters = assign(found, n, params, device)

    job = sdr(_short(params["sdr"], 2 * steps, batch, len(data)), shared, assignment, n)
    everything = np.arange(len(data))  # in place of clusters too small to train on, which have no turn
    job = replace(
        job,
        schedule=Alternating(**asdict(job.schedule)),
        subsets=[members if len(members) > 1 else everything for members in job.subsets],
    )
    start, clock = load_baseline(places["baseline"], job, device), Clock(job, device)
    network, _, cost = train(job, data, None, device, start, clock)
    measured = clock.seconds()
    seconds |= {"W_0": measured[True], "sub-net": measured[False]}
    checkpoint = _checkpoint(job, data, device, start)
    save_network(places["sdrnet"], network, job.spec, shared.heads, n_subnets=n)

    last = TrainedSdr(places["sdrnet"], None, device).subnet(n - 1)
    members = job.subsets[n - 1]
    _calibrate(last, data, members, params, device)
    save_resnet(places["backbone"], last, job.spec, job.spec.subnet_widths, params["embed"].side)
    return Walk(
        stored=(places["data"] / FILE).stat().st_size / len(data),
        seconds=seconds,
        peak_mib=max(peak, cost["peak_mib"]),
        checkpoint=checkpoint,
        clusters=f"{clusters}; trained: W_0, and sub-nets {' and '.join(_named(i, job.spec.groups) for i in (0, n - 1))}",
        exported=read_back(places["backbone"], last, data.read(members[:2]), params["embed"].side, device),
        batch=batch,
        timed=steps - 1,
        device=torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{torch.get_num_threads()} CPU threads",
        resident=job.compute.on(device).resident,
    )


def _checkpoint(job: Training, data: ImageStore, device: torch.device, start: SimSiam | None) -> int:
    """Bytes of the state after one step."""
    checkpoints = Checkpoints(job.stage, {}, seconds=0.0)
    train(replace(job, schedule=replace(job.schedule, steps=1)), data, checkpoints, device, start)
    size = checkpoints.last.stat().st_size
    checkpoints.remove()
    return size


def _named(subnet: int, groups: int) -> str:
    return f"{subnet} (path {'-'.join(map(str, path_of(subnet, groups)))})"


def assign(
    features: np.ndarray, n_subnets: int, params: dict[str, Any], device: torch.device
) -> tuple[np.ndarray, str]:
    """Cluster the images; return the cluster of each, and what was done in words.

    With fewer images than sub-nets the clustering runs at as many clusters as there are images, and the images are then
    dealt by hand to the two sub-nets that will be trained.
    """
    k = min(n_subnets, len(features))
    found = fit(features, k, params["cluster"], params["seed"], device)
    if k == n_subnets:
        return found.assignment, f"{n_subnets} clusters"
    by_hand = np.where(np.arange(len(features)) % 2, n_subnets - 1, 0)
    return (
        by_hand,
        f"{k} of {n_subnets} clusters made, for there are {k} images; these dealt by hand to two sub-nets",
    )


def read_back(directory: Path, ours: torch.nn.Module, images: np.ndarray, size: int, device: torch.device) -> int:
    """Read an exported backbone with timm; return its number of parameters.

    Raises:
        UserError: its features of `images` are not those of the network that was exported.
    """
    theirs = timm.create_model(f"local-dir:{directory}", pretrained=True).eval().to(device)
    x = evaluation_view(images, size, device)
    with torch.inference_mode():
        wanted = ours(x)
        if (theirs(x) - wanted).norm() > 0.01 * wanted.norm():  # a GPU may round to TF32, in another order
            raise UserError(
                f"the sub-net that timm {timm.__version__} reads back has other features than the one exported"
            )
    return count(theirs)


def _short(params: Any, steps: int, batch: int, images: int) -> Any:
    """Parameters of a training with this many steps of this many images."""
    optimization = params.optimization.model_copy(update={"batch_size": batch})
    return params.model_copy(update={"epochs": steps * batch / images, "optimization": optimization})


def _calibrate(
    backbone: torch.nn.Module,
    data: ImageStore,
    rows: np.ndarray,
    params: dict[str, Any],
    device: torch.device,
) -> None:
    images = data.read(sample(rows, params["calibrate"].images, params["seed"]))
    calibrate(backbone, evaluation_view(images, params["embed"].side, device))
