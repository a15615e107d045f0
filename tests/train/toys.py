"""A tiny training: networks of a few channels on images of fixed noise."""

import numpy as np
import torch

from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.byol import Target
from sdr.ssl.simclr import Contrast
from sdr.ssl.start import Start
from sdr.ssl.views import Views
from sdr.train.compute import Compute, Device
from sdr.train.jobs import Common, baseline, sdr
from sdr.train.optimizers import Optimization
from sdr.train.settings import Pretrain, Sdr
from sdr.train.training import Training

CPU = torch.device("cpu")
SPEC = Backbone(
    block="basic",
    layers=[1, 1, 1, 1],
    shared=[4, 4, 6, 8],
    group=[2, 2, 2, 4],
    groups=2,
    stem_type="deep",
    stem_width=5,
)
HEADS = Heads(projection=16, hidden=16, layers=2, output_norm=True, prediction=8)
VIEWS = Views(
    side=16,
    scale=[0.2, 1.0],
    jitter=[0.4, 0.4, 0.4, 0.1],
    jitter_p=0.8,
    grey_p=0.2,
    blur_p=[0.5, 0.1],
    blur_sigma=[0.1, 2.0],
    solarise_p=[0.0, 0.2],
)
SGD = Optimization(optimizer="sgd", batch_size=8, lr=0.5, momentum=0.9, weight_decay=1e-4, warmup_epochs=0.5)
LARS = SGD.model_copy(update={"optimizer": "lars"})
PLAIN = Device(
    bf16=False, teacher_bf16=False, channels_last=True, compile=False, fused=False, accumulate=1, resident=False
)


def compute(**changes) -> Compute:
    device = PLAIN.model_copy(update=changes)
    return Compute(deterministic=True, cpu=device, cuda=device)


def common(seed: int = 0, **changes) -> Common:
    fields = dict(
        method="simsiam",
        byol=Target(momentum=0.9),
        simclr=Contrast(temperature=0.2),
        backbone=SPEC,
        heads=HEADS,
        views=VIEWS,
        compute=compute(),
        seed=seed,
    )
    return Common(**(fields | changes))


def sdr_job(shared: Common | None = None, n_subnets: int = 4, images: int = 40, **changes) -> Training:
    """20 steps of 8 images on 4 clusters."""
    fields = dict(
        epochs=4.0,
        optimization=SGD,
        init="random",
        teacher="supernet",
        own="none",
        first_phase=0.3,
        phase_growth=2.0,
        w0_share=0.25,
        train_teacher=False,
        progressive=True,
        subsets="cluster",
        distill="siamkd",
        distill_views=1,
        distill_weight=1.0,
        log_every=1,
    )
    return sdr(Sdr(**(fields | changes)), shared or common(), np.arange(images) % n_subnets, n_subnets)


def baseline_job(shared: Common | None = None, start: Start | None = None, **changes) -> Training:
    fields = dict(
        init="random",
        init_warmup=1.0,
        epochs=2.0,
        epoch="part",
        part="all",
        width="subnet",
        optimization=SGD,
        log_every=2,
    )
    return baseline(Pretrain(**(fields | changes)), shared or common(), 40, 40, start)


class Noise:
    """Images of fixed noise; stops the training like Ctrl-C when `fuse` batches have been read."""

    def __init__(self, n: int = 40, fuse: int = 10**9):
        self.images = np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
        self.fuse = fuse

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.fuse -= 1
        if self.fuse < 0:
            raise KeyboardInterrupt
        return self.images[indices]


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])
