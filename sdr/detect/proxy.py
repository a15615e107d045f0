"""A cheap score of a backbone for detection: can the features of annotated boxes tell the classes apart?

Boxes of the split "train" are pooled from the maps of the last two stages, C4 and C5, and each is classified by its
nearest neighbours. Boxes of one picture share their surroundings, which would answer for the object: the neighbours
are those of other pictures.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdr.base.errors import UserError
from sdr.detect.components import resize, resized_shape
from sdr.detect.pyramid import STRIDES, pyramid
from sdr.detect.sets import Annotation, DetectionSet
from sdr.evaluate.knn import Knn
from sdr.evaluate.metrics import score
from sdr.nets.pixels import normalise, unit_interval

_LEVELS = (2, 3)  # C4 and C5
_CELLS = 7  # side of the grid that a box is pooled on before it is averaged; that of the detector's box head
_PIXELS = 1 << 21  # of a batch, at most
_COSINES = 1 << 24  # held at a time: 64 MiB
_TIE = 1e-6  # cosines closer than this are equal, as in `sdr.evaluate.knn`
Item = TypeVar("Item")


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` items, evenly spaced from the first on."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


@dataclass(frozen=True)
class Batch:
    """Pictures of the same padded size.

    Attributes:
        images: h×w×3 uint8 each.
        boxes: m×4 float32 each, in pixels of these images.
        size: height and width to pad to, multiples of 32.
    """

    images: list[Tensor]
    boxes: list[Tensor]
    size: tuple[int, int]


class Proxy:
    """The boxes that backbones are scored on, decoded and resized once.

    A picture's features do not depend on which others are in its batch. Nothing is random.

    Args:
        data: the detection set; its split "train" alone is read.
        images: at most so many pictures, evenly spaced among those that have a box that is not difficult.
        side: their short side, pixels.
        longest: their long side at most, pixels.
        knn: k and temperature of the vote.

    Raises:
        UserError: fewer than two pictures have such a box.
    """

    def __init__(self, data: DetectionSet, images: int, side: int, longest: int, knn: Knn, device: torch.device):
        usable = [a for a in data.annotations("train") if not a.difficult.all()]
        if len(usable) < 2:
            raise UserError(
                f"{len(usable)} images of the split train have a box that is not difficult; routing compares the boxes "
                "of different images: annotate at least 2"
            )
        chosen = evenly(usable, images)
        with ThreadPoolExecutor() as pool:
            pictures = list(pool.map(lambda a: _resized(data.image(a.id), side, longest), chosen))
        order = sorted(range(len(chosen)), key=lambda i: _padded(pictures[i]))  # stable
        self._batches = list(_batches([(chosen[i], pictures[i]) for i in order]))
        self.n_images = len(chosen)
        self._knn, self._device, self._n_classes = knn, device, len(data.classes)
        kept = [~chosen[i].difficult for i in order]
        self.labels = np.concatenate([chosen[i].labels[k] - 1 for i, k in zip(order, kept)])  # 0 … C-1
        self.picture = np.repeat(np.arange(len(order)), [int(k.sum()) for k in kept])  # of each box

    @torch.inference_mode()
    def features(self, backbone: nn.Module) -> Tensor:
        """C4 and C5 of every box, each of unit length, side by side: n×(C4+C5) float32 on the device."""
        body = pyramid(backbone, "frozen").to(self._device).eval()
        return torch.cat([self._pooled(body, batch) for batch in self._batches])

    def score(self, backbone: nn.Module) -> float:
        """Mean per-class accuracy, in percent, of boxes classified by those of the other pictures.

        Raises:
            UserError: the features are not finite.
        """
        x = self.features(backbone)
        if not torch.isfinite(x).all():
            raise UserError("the features hold NaN or infinity; look for a collapsed or diverged network")
        votes = leave_picture_out(x, self.labels, self.picture, self._n_classes, self._knn)
        return score("mean_per_class", votes, self.labels)

    def _pooled(self, body: nn.Module, batch: Batch) -> Tensor:
        from torchvision.ops import roi_align

        x = torch.zeros(len(batch.images), 3, *batch.size, device=self._device)
        for image, place in zip(batch.images, x):  # zero is the mean colour: the padding of detectors
            height, width, _ = image.shape
            place[:, :height, :width] = normalise(unit_interval(image[None].to(self._device)))[0]
        maps = body(x.contiguous(memory_format=torch.channels_last))
        boxes = [b.to(self._device) for b in batch.boxes]
        levels = []
        for level in _LEVELS:
            fine = maps[str(level)].contiguous()
            cells = roi_align(fine, boxes, _CELLS, 1 / STRIDES[level], aligned=True)
            levels.append(F.normalize(cells.mean((2, 3)), dim=1))
        return torch.cat(levels, dim=1)


def leave_picture_out(x: Tensor, labels: np.ndarray, picture: np.ndarray, n_classes: int, knn: Knn) -> np.ndarray:
    """Class scores of each box, as `sdr.evaluate.knn.leave_one_out`, from the boxes of all the other pictures.

    Args:
        x: n×D features of any scale, finite.
        labels: n int64 in [0, C).
        picture: n int64, the picture that a box is of; there are at least two.

    Returns:
        n×C float64: shares of the vote; rows sum to 1.
    """
    x = F.normalize(x, dim=1)
    owner, classes = torch.as_tensor(picture, device=x.device), torch.as_tensor(labels)
    votes, k = [], min(knn.k, len(x) - 1)
    for rows in torch.arange(len(x), device=x.device).split(max(1, _COSINES // len(x))):
        cosine = torch.round(x[rows] @ x.T / _TIE) * _TIE
        cosine[owner[rows, None] == owner] = -torch.inf
        near, who = cosine.sort(dim=1, descending=True, stable=True)  # of equal ones the lower index
        near, who = near[:, :k].cpu().double(), who[:, :k].cpu()
        weight = ((near - near[:, :1]) / knn.temperature).exp()  # 0 for what was left out
        weight /= weight.sum(1, keepdim=True)
        none = torch.zeros(len(rows), n_classes, dtype=torch.float64)
        votes.append(none.scatter_add_(1, classes[who], weight))
    return torch.cat(votes).numpy()


def _resized(image: np.ndarray, side: int, longest: int) -> Tensor:
    """Resize as the detector does, to bytes again, which are kept: h×w×3 uint8."""
    x = torch.from_numpy(image).permute(2, 0, 1).float()
    x = resize(x, resized_shape(*image.shape[:2], side, longest))
    return x.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()


def _padded(image: Tensor) -> tuple[int, int]:
    height, width, _ = image.shape
    return -(-height // 32) * 32, -(-width // 32) * 32


def _batches(pictures: list[tuple[Annotation, Tensor]]):
    """Cut pictures, sorted by padded size, into batches of one size."""
    batch: list[tuple[Annotation, Tensor]] = []
    for annotation, image in pictures:
        size = _padded(image)
        if batch and (_padded(batch[0][1]) != size or (len(batch) + 1) * size[0] * size[1] > _PIXELS):
            yield _batch(batch)
            batch = []
        batch.append((annotation, image))
    yield _batch(batch)


def _batch(pictures: list[tuple[Annotation, Tensor]]) -> Batch:
    boxes = []
    for annotation, image in pictures:
        height, width, _ = image.shape
        ratio = np.array([width / annotation.width, height / annotation.height] * 2, dtype=np.float32)
        boxes.append(torch.from_numpy(annotation.boxes[~annotation.difficult] * ratio))
    return Batch([image for _, image in pictures], boxes, _padded(pictures[0][1]))
