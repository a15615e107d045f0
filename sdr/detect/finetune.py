"""Fine-tuning of a detector that can be stopped and continued at any iteration, and its detections.

Everything an iteration draws is a function of (seed, iteration): batches, flips, sizes, and the anchors and boxes that
the losses see. So two backbones train on the same batches, and a resumed training gives the same bits (on a CPU).
"""

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from tqdm import tqdm

from sdr.base.checkpoint import States
from sdr.base.signals import deferred_signals
from sdr.detect.batches import (
    FLIP,
    Batches,
    Images,
    Item,
    decoded,
    generators,
    model_input,
    trainable,
    training_example,
    without_crowds,
)
from sdr.detect.components import SeededSampler
from sdr.detect.detector import ROI_POSITIVE, RPN_POSITIVE, build
from sdr.detect.params import Detector
from sdr.detect.pyramid import batch_norms
from sdr.detect.sets import Annotation, DetectionSet
from sdr.detect.voc_ap import Detections, DivergedError

WARMUP_START = 1 / 1000  # of the learning rate
GAMMA = 0.1  # factor at each of `steps`


class FineTuning:
    """A detector in training.

    Args:
        backbone: a ResNet of timm; it is copied.
        split: the split of `data` to train on; images without objects are left out.
        decay: False keeps the learning rate constant after the warm-up.
        name: of the backbone, for messages.

    Attributes:
        model: torchvision's GeneralizedRCNN on `device`.
        iteration: iterations done.
        history: a row every `log_every` iterations: iteration (counted from 0), lr, loss and its four terms.

    Raises:
        UserError: the backbone or the data cannot be trained with.
    """

    def __init__(
        self,
        backbone: nn.Module,
        data: DetectionSet,
        split: str,
        params: Detector,
        seed: int,
        device: torch.device,
        decay: bool,
        name: str = "the network",
    ):
        self.params, self.name = params, name
        self.iteration = 0
        self.history: list[dict] = []
        self.model = build(backbone, len(data.classes), params, seed).to(device, memory_format=torch.channels_last)
        self._samplers = {
            "rpn": SeededSampler(params.rpn_batch, RPN_POSITIVE),
            "roi": SeededSampler(params.roi_batch, ROI_POSITIVE),
        }
        self.model.rpn.fg_bg_sampler, self.model.roi_heads.fg_bg_sampler = self._samplers.values()
        self._optimizer = sgd(self.model, params)
        self._data, self._seed, self._device, self._decay = data, seed, device, decay
        annotations = without_crowds(data.annotations(split)) if data.rules == "coco" else data.annotations(split)
        self._images = trainable(annotations, len(data.classes), split)
        self._batches = Batches(self._images, params.batch, params.train_sizes, FLIP, seed, "detection")

    def advance(self, until: int, states: States | None = None) -> None:
        """Train up to iteration `until`; save into `states` when due, and when interrupted.

        Raises:
            DivergedError: the loss is not finite.
            KeyboardInterrupt: SIGINT or SIGTERM came; the last iteration is whole, and saved.
        """
        with deferred_signals() as signals:
            for _ in self._iterations(until):
                if states is not None and (states.due() or signals.received):
                    states.save(self.state(), self.iteration)
                if signals.received:
                    raise KeyboardInterrupt

    def _iterations(self, until: int) -> Iterator[None]:
        self.model.train()
        batches = decoded(self._data, (self._batches(t) for t in range(self.iteration, until)))
        bar = tqdm(batches, self.name, total=until, initial=self.iteration, unit="it", disable=None)
        for t, (batch, images) in enumerate(bar, self.iteration):
            rate = learning_rate(t, self.params, self._decay)
            examples = self._examples(batch, images)
            losses = self._step(t, examples, rate)
            if t % self.params.log_every == 0 or t == self.params.iterations - 1:
                terms = {name: round(value.item(), 6) for name, value in losses.items()}
                total = round(sum(terms.values()), 6)
                self.history.append({"iteration": t, "lr": round(rate, 10), "loss": total} | terms)
                bar.set_postfix(loss=f"{total:.3f}")
            self.iteration = t + 1
            yield

    def _examples(self, batch: list[Item], images: list[np.ndarray]) -> list[tuple[Tensor, dict]]:
        longest, device = self.params.max_size, self._device
        return [training_example(image, item, longest, device) for item, image in zip(batch, images)]

    def _step(self, t: int, examples: list[tuple[Tensor, dict]], rate: float) -> dict[str, Tensor]:
        """One step of SGD; the batch passes in `accumulate` parts. Return the terms of the loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        draws = {name: generators(len(examples), self._device, self._seed, name, t) for name in self._samplers}
        size = len(examples) // self.params.accumulate
        sums: dict[str, Tensor] = {}
        for start in range(0, len(examples), size):
            for name, sampler in self._samplers.items():
                sampler.generators = draws[name][start : start + size]
            images, targets = zip(*examples[start : start + size])
            with autocast(self.params, self._device):
                losses = self.model(list(images), list(targets))
            losses = {name: value / self.params.accumulate for name, value in losses.items()}
            loss = sum(losses.values())
            if not torch.isfinite(loss):
                raise DivergedError(
                    f"{self.name}: the detection loss is not finite at iteration {t} (learning rate {rate:.3g}): "
                    "lower `lr` of the detector or lengthen its `warmup`"
                )
            loss.backward()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value.detach()
        self._optimizer.step()
        return sums

    def detect(self, annotations: list[Annotation]) -> list[Detections]:
        """Detections on these images of `data` as training stands; `norm: sync` measures its statistics first."""
        if self.params.norm == "sync":
            self._measure_statistics()
        return detect(self.model, self._data, annotations, self.params, self._device)

    @torch.no_grad()
    def _measure_statistics(self) -> None:
        """Set the running statistics to the average over `precise_bn` batches: unmirrored, at the test size, the same
        images each time and for each network."""
        params = self.params
        layers = batch_norms(self.model)
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # an average in which all batches count the same
        order = Batches(self._images, params.batch, [params.test_size], 0.0, self._seed, "precise_bn")
        self.model.train()
        for batch, images in decoded(self._data, (order(t) for t in range(params.precise_bn))):
            x = [image for image, _ in self._examples(batch, images)]
            with autocast(params, self._device):
                self.model.backbone(self.model.transform(x)[0].tensors)
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum

    def state(self) -> dict:
        """All that changes in training; loadable with `weights_only=True`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "iteration": self.iteration,
            "history": self.history,
        }

    def restore(self, state: dict) -> None:
        """Go back to a `state()` of a training with the same arguments."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.history = state["iteration"], list(state["history"])


@torch.no_grad()
def detect(
    model: GeneralizedRCNN,
    data: Images,
    annotations: list[Annotation],
    params: Detector,
    device: torch.device,
) -> list[Detections]:
    """Detections of `model` on these images, in pixels of the original images, best first.

    Each image passes alone: what it is batched with cannot change its result. While training is not over call
    `FineTuning.detect`, which knows about batch norms.
    """
    model.eval()
    found = []
    for _, (image,) in decoded(data, ([Item(annotation, False, params.test_size)] for annotation in annotations)):
        with autocast(params, device):
            (result,) = model([model_input(image, device)])
        found.append(Detections(*(result[key].cpu().numpy() for key in ("boxes", "scores", "labels"))))
    return found


def learning_rate(t: int, params: Detector, decay: bool) -> float:
    """The learning rate of iteration t: linear warm-up, then (`decay`) a tenth from each of `steps` on."""
    rate = params.lr
    if t < params.warmup:
        rate *= WARMUP_START + (1 - WARMUP_START) * t / params.warmup
    return rate * GAMMA ** bisect_right(params.steps, t) if decay else rate


def sgd(model: nn.Module, params: Detector) -> torch.optim.SGD:
    """SGD on what is trained; batch norms do not decay."""
    norms = {id(p) for layer in batch_norms(model) for p in layer.parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) not in norms], "weight_decay": params.weight_decay},
        {"params": [p for p in trained if id(p) in norms], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=params.lr, momentum=params.momentum)


def autocast(params: Detector, device: torch.device) -> torch.autocast:
    """bfloat16 where it is safe, if the parameters say so and on a GPU alone."""
    return torch.autocast(device.type, torch.bfloat16, enabled=params.bf16 and device.type == "cuda")
