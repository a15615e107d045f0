"""Parts of torchvision's Faster R-CNN, done as detectron2 does them, whose numbers are the published ones.

All that places boxes (anchors, deltas, scores) is float32 under autocast too: bfloat16 has 8 bits, which is 4 pixels
at 1000.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import box_area, roi_align

from sdr.detect.pyramid import STRIDES


def resized_shape(height: int, width: int, short: int, longest: int) -> tuple[int, int]:
    """Height and width (pixels) of an image whose short side becomes `short`, but its long side at most `longest`."""
    scale = min(short / min(height, width), longest / max(height, width))
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def resize(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resize C×H×W float to C×`shape`, bilinear and antialiased, which is PIL's filter."""
    if image.shape[-2:] == shape:
        return image
    return F.interpolate(image[None], shape, mode="bilinear", antialias=True, align_corners=False)[0]


class Transform(GeneralizedRCNNTransform):
    """Normalises and pads to multiples of 32; resizes for evaluation alone, as training draws a size an image."""

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        if self.training:
            return image, target
        return resize(image, resized_shape(*image.shape[-2:], self.min_size[-1], self.max_size)), target


class Anchors(AnchorGenerator):
    """Unrounded anchors, at strides 4 … 64 (torchvision divides the image's side by the map's)."""

    def generate_anchors(self, scales, aspect_ratios, dtype=torch.float32, device="cpu") -> Tensor:
        scale, ratio = torch.tensor(scales, dtype=dtype), torch.tensor(aspect_ratios, dtype=dtype)
        height, width = (scale * ratio.sqrt() / 2), (scale / ratio.sqrt() / 2)  # halves
        return torch.stack([-width, -height, width, height], dim=1).to(device)

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        self.set_cell_anchors(torch.float32, feature_maps[0].device)
        strides = [[stride, stride] for stride in (*STRIDES, 2 * STRIDES[-1])]
        anchors = torch.cat(self.grid_anchors([f.shape[-2:] for f in feature_maps], strides))
        return [anchors] * len(image_list.image_sizes)


class Head(RPNHead):
    """The RPN's head; the two last convolutions in float32."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        hidden = [self.conv(level) for level in x]
        with torch.autocast(x[0].device.type, enabled=False):
            hidden = [level.float() for level in hidden]
            return [self.cls_logits(h) for h in hidden], [self.bbox_pred(h) for h in hidden]


class Rpn(RegionProposalNetwork):
    """Both losses are sums over the sampled anchors, over sampled anchors × images; the boxes' is L1."""

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        positive, negative = (torch.cat(masks) for masks in self.fg_bg_sampler(labels))
        positive, sampled = torch.where(positive)[0], torch.where(positive | negative)[0]
        targets = torch.cat(regression_targets)[positive]
        normaliser = self.fg_bg_sampler.batch_size_per_image * len(labels)
        box = F.l1_loss(pred_bbox_deltas[positive], targets, reduction="sum")
        score = F.binary_cross_entropy_with_logits(
            objectness.flatten()[sampled], torch.cat(labels)[sampled], reduction="sum"
        )
        return score / normaliser, box / normaliser


class Pooler(nn.Module):
    """RoIAlign from P2 … P5, aligned to pixel centres, with as many samples a bin as it has pixels.

    torchvision's MultiScaleRoIAlign cannot align, and guesses the strides from the first batch it sees.
    """

    def __init__(self, size: int, canonical: int):
        super().__init__()
        self.size, self.canonical = size, canonical

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Boxes n×4 of each image, in pixels of the padded batch → Σn×C×size×size."""
        rois = torch.cat([F.pad(b, (1, 0), value=i) for i, b in enumerate(boxes)])  # place in the batch, box
        levels = (4 + torch.log2(box_area(rois[:, 1:]).sqrt() / self.canonical + 1e-8)).floor()
        levels = levels.clamp(2, 5) - 2  # Lin et al. 2017, Eq. 1
        pooled = x["0"].new_zeros(len(rois), x["0"].shape[1], self.size, self.size)
        for level, stride in enumerate(STRIDES):
            here = torch.where(levels == level)[0]
            part = roi_align(x[str(level)], rois[here], self.size, 1 / stride, sampling_ratio=0, aligned=True)
            pooled[here] = part.to(pooled.dtype)
        return pooled


class Predictor(FastRCNNPredictor):
    """Class scores and box deltas, in float32."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class BoxHeads(RoIHeads):
    """The loss of the boxes is L1; without any sampled box both losses are zero, not the mean of nothing."""

    def forward(self, features, proposals, image_shapes, targets=None):
        if not self.training:
            return super().forward(features, proposals, image_shapes)
        proposals, _, labels, regression_targets = self.select_training_samples(proposals, targets)
        pooled = self.box_roi_pool(features, proposals, image_shapes)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        labels = torch.cat(labels)
        positive = torch.where(labels > 0)[0]
        deltas = deltas.unflatten(1, (-1, 4))[positive, labels[positive]]
        n = max(1, len(labels))
        return [], {
            "loss_classifier": F.cross_entropy(logits, labels, reduction="sum") / n,
            "loss_box_reg": F.l1_loss(deltas, torch.cat(regression_targets)[positive], reduction="sum") / n,
        }


class SeededSampler:
    """Draws the anchors or boxes that the loss sees: of each image, as a function of the image's generator alone.

    Attributes:
        generators: one for each image of the next call.
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float):
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        self.generators: list[torch.Generator] = []

    def __call__(self, matched_idxs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Labels n of each image (≥ 1 positive, 0 negative, -1 neither) → masks n bool of the positives and negatives."""
        masks: tuple[list[Tensor], list[Tensor]] = ([], [])
        for labels, generator in zip(matched_idxs, self.generators, strict=True):
            room = self.batch_size_per_image
            for candidates, most, drawn in (
                (labels >= 1, int(room * self.positive_fraction), masks[0]),
                (labels == 0, room, masks[1]),
            ):
                places = torch.where(candidates)[0]
                order = torch.randperm(len(places), generator=generator, device=labels.device)
                taken = places[order[: min(most, room)]]
                room -= len(taken)
                drawn.append(torch.zeros_like(labels, dtype=torch.bool).index_fill_(0, taken, True))
        return masks
