"""Faster R-CNN FPN over any ResNet: torchvision's, brought to the numbers of detectron2, the published ones.

What is left different from detectron2: images are resized as floats (PIL rounds to bytes); there is one unused box
regressor, of the background; and the batch norms of `norm: sync` are ordinary ones, as one process sees the whole batch.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from sdr.base.randomness import derive
from sdr.detect.components import Anchors, BoxHeads, Head, Pooler, Predictor, Rpn, Transform
from sdr.detect.params import Detector
from sdr.detect.pyramid import pyramid
from sdr.nets.pixels import MEAN, STD

RATIOS = (0.5, 1.0, 2.0)  # of the anchors, height over width
RPN_IOU = (0.7, 0.3)  # an anchor is positive from the first, negative below the second
RPN_POSITIVE = 0.5  # share of the sampled anchors, at most
RPN_NMS = 0.7
ROI_IOU = 0.5  # a proposal is positive from here, else negative
ROI_POSITIVE = 0.25
ROI_SIZE = 7  # bins a side
DELTA_WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the box head: x, y, width, height
MIN_SCORE = 0.05  # of a detection
DETECTION_NMS = 0.5
MAX_DETECTIONS = 100  # an image


def build(backbone: nn.Module, n_classes: int, params: Detector, seed: int) -> GeneralizedRCNN:
    """Build the detector over a copy of `backbone`. New layers are functions of `seed`.

    In training mode the model takes resized images and targets, in evaluation mode images of any size; they are
    3×H×W float in [0, 1]. It normalises them itself, as the backbone's `pretrained_cfg` says, else as ImageNet.

    Args:
        backbone: timm's ResNet; `norm: frozen` relies on its batch-norm statistics.
        n_classes: C; the background, label 0, is not counted.

    Raises:
        UserError: the backbone cannot carry a detector.
    """
    body = pyramid(backbone, params.norm)
    norm_layer = nn.BatchNorm2d if params.norm == "sync" else None
    with _seeded(seed, "fpn"):
        fpn = FeaturePyramidNetwork(body.widths, params.channels, LastLevelMaxPool(), norm_layer)
    features = nn.Sequential(OrderedDict(body=body, fpn=fpn))
    with _seeded(seed, "rpn"):
        rpn = _rpn(params)
    with _seeded(seed, "box head"):
        heads = _box_heads(n_classes, params)
    cfg = getattr(backbone, "pretrained_cfg", None) or {"mean": MEAN, "std": STD}
    transform = Transform(params.test_size, params.max_size, list(cfg["mean"]), list(cfg["std"]))
    return GeneralizedRCNN(features, rpn, heads, transform)


def _rpn(params: Detector) -> Rpn:
    anchors = Anchors(tuple((side,) for side in params.anchors), (RATIOS,) * len(params.anchors))
    head = Head(params.channels, len(RATIOS))  # N(0, 0.01), as in detectron2
    pre, post = (dict(zip(("training", "testing"), n)) for n in (params.pre_nms, params.post_nms))
    return Rpn(anchors, head, *RPN_IOU, params.rpn_batch, RPN_POSITIVE, pre, post, RPN_NMS)


def _box_heads(n_classes: int, params: Detector) -> BoxHeads:
    head = TwoMLPHead(params.channels * ROI_SIZE**2, params.hidden)
    predictor = Predictor(params.hidden, n_classes + 1)
    for layer in (head.fc6, head.fc7):
        nn.init.kaiming_uniform_(layer.weight, a=1)
    nn.init.normal_(predictor.cls_score.weight, std=0.01)
    nn.init.normal_(predictor.bbox_pred.weight, std=0.001)
    for layer in (head.fc6, head.fc7, predictor.cls_score, predictor.bbox_pred):
        nn.init.zeros_(layer.bias)
    return BoxHeads(
        Pooler(ROI_SIZE, params.canonical),
        head,
        predictor,
        ROI_IOU,
        ROI_IOU,
        params.roi_batch,
        ROI_POSITIVE,
        DELTA_WEIGHTS,
        MIN_SCORE,
        DETECTION_NMS,
        MAX_DETECTIONS,
    )


@contextmanager
def _seeded(*key: int | str) -> Iterator[None]:
    """Within the block torch's global generator is that of `key`: modules initialise themselves by it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(*key))
        yield
