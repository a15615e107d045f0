"""A small super-net, trained by nobody but calibrated, and a task that some of its sub-nets tell apart better."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from sdr.base.outputs import write_json
from sdr.nets.backbone import Backbone
from sdr.nets.calibrate import calibrate, statistics
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.folder import save_resnet
from sdr.nets.heads import Heads
from sdr.route.bundle import seal
from sdr.route.choose import Selection
from sdr.route.search import Labelled
from sdr.route.trained import TrainedSdr
from sdr.ssl.folder import save_network
from sdr.ssl.simsiam import SimSiam

SPEC = Backbone(
    block="basic",
    layers=[1, 1, 1, 1],
    shared=[8, 8, 8, 8],
    group=[4, 4, 4, 8],
    groups=2,
    stem_type="deep",
    stem_width=4,
)
HEADS = Heads(projection=16, hidden=16, layers=2, output_norm=True, prediction=8)
CPU = torch.device("cpu")
SHOW = Embedding(side=16, batch_size=7)


def pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)


def make_trained(folder: Path, n_subnets: int, source: str) -> TrainedSdr:
    """Write a super-net as `artifacts/sdrnet` and `artifacts/calibration` are, and open it."""
    torch.manual_seed(0)
    for name in ("sdrnet", "calibration"):
        (folder / name).mkdir(parents=True)
    network = SimSiam(SPEC, SPEC.supernet_widths, HEADS)
    for layer in network.backbone.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # else blocks are the identity (zero-init), and sub-nets alike
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias)
    save_network(folder / "sdrnet", network, SPEC, HEADS, n_subnets=n_subnets)
    bare = TrainedSdr(folder / "sdrnet", None, CPU)

    def measure(backbone, seed: int) -> torch.Tensor:
        calibrate(backbone, evaluation_view(pictures(24, seed), 16, CPU))
        return statistics(backbone).clone()

    rows = [measure(bare.subnet(i), 0 if source == "common" else i + 1) for i in range(n_subnets)]
    tensors = {"w0": measure(bare.supernet(), 0), "subnets": torch.stack(rows)}
    save_file(tensors, folder / "calibration/bn.safetensors")
    write_json(folder / "calibration/meta.json", {"source": source, "images": 24})
    return TrainedSdr(folder / "sdrnet", folder / "calibration", CPU)


def make_bundle(folder: Path, n_subnets: int, source: str) -> Path:
    """Write a sealed super-net as `artifacts` is; return its directory."""
    make_trained(folder, n_subnets, source)
    (folder / "backbones/baseline").mkdir(parents=True)
    single = SPEC.single()
    network = SimSiam(single, single.subnet_widths, HEADS)
    save_resnet(folder / "backbones/baseline", network.backbone, single, single.subnet_widths, 16)
    (folder / "clusters/samples").mkdir(parents=True)
    for number in range(n_subnets):
        Image.fromarray(pictures(1, number)[0]).save(folder / f"clusters/samples/cluster_{number:03d}.png")
    places = {
        "mean": np.zeros(16, np.float32),
        "centroids": np.eye(16, dtype=np.float32)[:n_subnets],
        "sizes": np.arange(10, 10 + n_subnets),
    }
    save_arrays(places, folder / "calibration/places.safetensors")
    corpus = {"source": "noise", "n": 100, "fingerprint": "f" * 64}
    seal(folder, folder / "calibration", size=16, corpus=corpus, subsets="cluster", parameters={"seed": 0})
    return folder


def striped_task(n: int = 60, classes: int = 3) -> Labelled:
    """Noise with stripes of another width for each class."""
    label = np.arange(n) % classes
    wave = np.sin(np.arange(16) * (0.4 + 0.5 * label[:, None]))[:, None, :, None] * 60
    images = np.clip(pictures(n, 9) * 0.6 + 60 + wave, 0, 255).astype(np.uint8)
    return Labelled("stripes", images, label.astype(np.int64), classes, "top1")


CHOICE = {
    "candidates": ["subnets"],
    "selection": Selection(also=[], combine="rank", prior=0.0, rule="best", margin=1.0, folds=5),
}
