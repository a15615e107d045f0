"""Small detectors, backbones and pictures of coloured rectangles."""

import numpy as np
import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet

from sdr.detect.params import Detector, Routing
from sdr.detect.sets import Annotation
from sdr.nets.calibrate import calibrate

COLOURS = np.array([[230, 40, 40], [40, 210, 60], [50, 80, 240]])
ROUTING = Routing(proxy_images=8, proxy_side=64, keep=2, explore=0, rungs=[1, 2], survivors=[1], val_images=4)


def detector(**changes) -> Detector:
    """A detector of pictures of 64 to 96 pixels."""
    values = {
        "norm": "frozen",
        "precise_bn": 2,
        "train_sizes": [48, 64],
        "test_size": 64,
        "max_size": 96,
        "channels": 16,
        "hidden": 32,
        "anchors": [12, 20, 32, 48, 64],
        "canonical": 56,
        "rpn_batch": 32,
        "roi_batch": 16,
        "pre_nms": [200, 100],
        "post_nms": [50, 50],
        "iterations": 60,
        "batch": 4,
        "accumulate": 1,
        "lr": 0.01,
        "steps": [40, 50],
        "warmup": 10,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "bf16": False,
        "log_every": 1,
        "routing": ROUTING,
    }
    return Detector(**(values | changes))


def backbone(block: str = "basic", widths=(8, 12, 16, 24), stem_type: str = "deep", seed: int = 0) -> ResNet:
    """A small ResNet with measured batch-norm statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ResNet(
            BasicBlock if block == "basic" else Bottleneck,
            (1, 1, 1, 1),
            num_classes=0,
            channels=widths,
            stem_type=stem_type,
            stem_width=5,
            zero_init_last=False,
        )
        calibrate(network, torch.randn(8, 3, 64, 64))
    return network


class Rectangles:
    """As a DetectionSet: n pictures (96×72 or 72×96) of one to three rectangles, whose colour is the class."""

    classes = ["red", "green", "blue"]
    rules = "voc"

    def __init__(self, n: int = 12, seed: int = 0):
        self.images: dict[str, np.ndarray] = {}
        self.all: list[Annotation] = []
        rng = np.random.default_rng(seed)
        for index in range(n):
            height, width = (72, 96) if index % 3 else (96, 72)
            image = rng.integers(90, 130, (height, width, 3), dtype=np.uint8)
            boxes, labels = [], []
            for _ in range(rng.integers(1, 4)):
                w, h = rng.integers(14, 40, 2)
                left, top = rng.integers(0, width - w), rng.integers(0, height - h)
                label = int(rng.integers(3))
                image[top : top + h, left : left + w] = COLOURS[label]
                boxes.append([left, top, left + w, top + h])
                labels.append(label + 1)
            self.add(image, boxes, labels)

    def add(self, image: np.ndarray, boxes: list, labels: list) -> None:
        """Append a picture."""
        height, width = image.shape[:2]
        id = f"toy/{len(self.all):03d}"
        self.images[id] = image
        fields = (
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(labels, np.int64),
            np.zeros(len(labels), bool),
        )
        self.all.append(Annotation(id, height, width, *fields))

    def annotations(self, split: str) -> list[Annotation]:
        return self.all

    def image(self, id: str) -> np.ndarray:
        return self.images[id]
