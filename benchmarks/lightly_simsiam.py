"""lightly's SimSiam: its heads, loss, transform and loop as its documentation has them, at our sizes."""

from importlib.util import find_spec

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.turns import now
from sdr.nets.backbone import resnet
from sdr.nets.heads import Heads
from sdr.train.compute import autocast
from sdr.train.training import Training

INSTALL = (
    "lightly is not installed, so it is left out: `uv pip install --target DIR --no-deps lightly lightly-utils "
    "pytorch-lightning lightning-utilities torchmetrics`, then run again with PYTHONPATH=DIR"
)


def installed() -> bool:
    return find_spec("lightly") is not None


class Pictures(Dataset):
    """An epoch of `length` pairs of views of PIL images, which it makes of decoded squares `N×S×S×3` in memory."""

    def __init__(self, pixels: np.ndarray, transform, length: int):
        self._pixels, self._transform, self._length = pixels, transform, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> list[Tensor]:
        return self._transform(Image.fromarray(self._pixels[index % len(self._pixels)]))


class Network(nn.Module):
    """Backbone and lightly's heads; its SimSiamProjectionHead is this with three layers."""

    def __init__(self, backbone: nn.Module, heads: Heads):
        super().__init__()
        from lightly.models.modules.heads import ProjectionHead, SimSiamPredictionHead

        inner = [backbone.num_features] + [heads.hidden] * (heads.layers - 1)
        blocks = [(wide, out, nn.BatchNorm1d(out), nn.ReLU()) for wide, out in zip(inner[:-1], inner[1:])]
        norm = nn.BatchNorm1d(heads.projection, affine=False) if heads.output_norm else None
        self.backbone = backbone
        self.projection_head = ProjectionHead([*blocks, (inner[-1], heads.projection, norm, None, False)])
        self.prediction_head = SimSiamPredictionHead(heads.projection, heads.prediction, heads.projection)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.projection_head(self.backbone(x))
        return z.detach(), self.prediction_head(z)


class LightlySimSiam:
    """A training of lightly's that goes on from turn to turn.

    Args:
        job: the baseline's: backbone, heads, views, batch, and whether it computes in bfloat16.
        pixels: `N×S×S×3` uint8; it is spared reading and decoding.
        workers: processes that make views.
    """

    def __init__(self, job: Training, pixels: np.ndarray, device: torch.device, workers: int):
        from lightly.loss import NegativeCosineSimilarity
        from lightly.transforms import SimSiamTransform

        views, params = job.views, job.optimization
        bright, contrast, saturation, hue = views.jitter
        self._transform = SimSiamTransform(
            input_size=views.side,
            cj_prob=views.jitter_p,
            cj_bright=bright,
            cj_contrast=contrast,
            cj_sat=saturation,
            cj_hue=hue,
            min_scale=views.scale[0],
            random_gray_scale=views.grey_p,
            gaussian_blur=sum(views.blur_p) / 2,
            sigmas=tuple(views.blur_sigma),
        )
        self._pixels, self._batch, self._workers, self._device = pixels, params.batch_size, workers, device
        self._bf16 = job.compute.on(device).bf16
        self._model = Network(resnet(job.spec, job.spec.subnet_widths), job.heads).to(device)
        self._criterion = NegativeCosineSimilarity()
        self._optimizer = torch.optim.SGD(
            self._model.parameters(), lr=params.peak, momentum=params.momentum, weight_decay=params.weight_decay
        )

    def turn(self, warm: int, steps: int) -> float:
        """Seconds of a step: the workers start and fill their queues in `warm` steps, then `steps` are timed."""
        batches = iter(self._loader(warm + steps + 4 * self._workers))  # so that the workers never run dry
        for _ in range(warm):
            self._step(next(batches))
        began = now(self._device)
        for _ in range(steps):
            self._step(next(batches))
        seconds = (now(self._device) - began) / steps
        del batches  # ends the workers: they would work on in the others' turns
        return seconds

    def _loader(self, batches: int) -> DataLoader:
        data = Pictures(self._pixels, self._transform, batches * self._batch)
        cuda = self._device.type == "cuda"
        return DataLoader(data, self._batch, shuffle=True, drop_last=True, num_workers=self._workers, pin_memory=cuda)

    def _step(self, views: list[Tensor]) -> None:
        x0, x1 = (x.to(self._device, non_blocking=True) for x in views)
        with autocast(self._device, self._bf16):
            (z0, p0), (z1, p1) = self._model(x0), self._model(x1)
            loss = 0.5 * (self._criterion(z0, p1) + self._criterion(z1, p0))
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
