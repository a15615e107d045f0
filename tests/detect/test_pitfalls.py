"""Known ways to get a detector silently wrong, each held by a test.

What concerns the conversion of annotations is tested with the data.
"""

import numpy as np
import pytest
import timm
import torch
from pydantic import ValidationError
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from sdr.base.errors import UserError
from sdr.detect.batches import Batches, Item, model_input, trainable, training_example
from sdr.detect.detector import build
from sdr.detect.finetune import FineTuning, detect
from sdr.detect.pyramid import batch_norms, pyramid
from sdr.detect.voc_ap import evaluate
from tests.detect.toys import Rectangles, backbone, detector

CPU = torch.device("cpu")
TOYS = Rectangles()
# block, widths, stem
NETWORKS = [
    ("basic", (8, 12, 16, 24), "deep"),
    ("basic", (9, 13, 11, 17), ""),
    ("bottleneck", (8, 9, 10, 13), "deep"),
]


def examples(n: int = 2, t: int = 0) -> tuple[list, list]:
    batch = Batches(TOYS.all, n, [48, 64], 0.5, 0)(t)
    made = [training_example(TOYS.image(item.annotation.id), item, 96, CPU) for item in batch]
    return [x for x, _ in made], [target for _, target in made]


def tuning(network: nn.Module | None = None, data=TOYS, seed: int = 0, decay: bool = True, **changes) -> FineTuning:
    return FineTuning(network or backbone(), data, "trainval", detector(**changes), seed, CPU, decay, "toy")


# 1: a width that is not the double of the one before; 9: widths that no group norm divides
@pytest.mark.parametrize(("block", "widths", "stem"), NETWORKS)
@pytest.mark.parametrize("norm", ["frozen", "sync"])
def test_any_widths(block, widths, stem, norm):
    model = build(backbone(block, widths, stem), 3, detector(norm=norm), 0).train()
    expected = [w * (4 if block == "bottleneck" else 1) for w in widths]
    assert [inner[0].in_channels for inner in model.backbone.fpn.inner_blocks] == expected
    assert not any(isinstance(m, nn.GroupNorm) for m in model.modules())
    losses = model(*examples())
    sum(losses.values()).backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    norms = {f"{n}.{p}" for n, m in model.named_modules() if m in batch_norms(model) for p in ("weight", "bias")}
    assert trained == {name for name, _ in model.named_parameters()} - (norms if norm == "frozen" else set())
    assert all(p.grad is not None and p.grad.isfinite().all() for n, p in model.named_parameters() if n in trained)
    assert len(norms) == 2 * len(batch_norms(model.backbone.body)) + (16 if norm == "sync" else 0)  # the FPN's eight


# 2: functional calls in forward() are lost where children are run one after the other
@pytest.mark.parametrize(("block", "widths", "stem"), NETWORKS)
def test_the_maps_are_those_of_the_networks_own_forward(block, widths, stem):
    network, x = backbone(block, widths, stem).eval(), torch.randn(2, 3, 64, 96)
    own = network.forward_intermediates(x, indices=[1, 2, 3, 4], intermediates_only=True)
    maps = pyramid(network, "frozen")(x)
    assert list(maps) == ["0", "1", "2", "3"]
    for ours, theirs in zip(maps.values(), own, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps["3"], network.forward_features(x), rtol=1e-4, atol=1e-4)


def test_networks_that_cannot_be_cut_are_refused():
    with pytest.raises(UserError, match="needs a ResNet of timm, got Sequential"):
        build(nn.Sequential(backbone()), 3, detector(), 0)
    dilated = timm.create_model("resnet18", output_stride=16, num_classes=0)
    with pytest.raises(UserError, match=r"strides \(4, 8, 16, 32\), this one's are \(4, 8, 16, 16\)"):
        build(dilated, 3, detector(), 0)


# 3: names of the maps, and as many anchor levels as maps
def test_names_and_levels():
    model = build(backbone(), 3, detector(), 0)
    maps = model.backbone(torch.zeros(1, 3, 64, 64))
    assert list(maps) == ["0", "1", "2", "3", "pool"]
    assert [m.shape[-1] for m in maps.values()] == [16, 8, 4, 2, 1]
    assert len(model.rpn.anchor_generator.sizes) == 5


# 4: the size of an evaluation is its own, and not 800
@pytest.mark.parametrize("sizes", [[48, 64], [64, 48], [40]])
def test_sizes_of_training_and_evaluation(sizes):
    params = detector(train_sizes=sizes, test_size=56)
    model = build(backbone(), 3, params, 0).eval()
    seen = watch(model.backbone)
    model([torch.rand(3, 72, 96)])
    assert seen[0].shape == (1, 3, 64, 96)  # 56 × 75, padded
    assert {min(x.shape[1:]) for t in range(8) for x in examples(4, t)[0]} == {48, 64}


# 5: normalised once, in the model
def test_normalised_once():
    job = tuning(train_sizes=[64])
    seen = watch(job.model.backbone)
    job.advance(1)
    job.detect(TOYS.all[:1])
    image = model_input(TOYS.image(TOYS.all[0].id), CPU)  # 96 × 72, resized to 85 × 64
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    for x in seen:
        assert -2.2 < x.min() and x.max() < 2.7
    inside = seen[1][0, :, :85, :64].mean((1, 2))
    torch.testing.assert_close(inside, (image.mean((1, 2)) - mean) / std, atol=0.02, rtol=0)
    assert not seen[1][0, :, 85:].any()  # padded with zeros after the normalisation
    with pytest.raises(TypeError, match="floating type"):
        job.model([torch.zeros(3, 64, 64, dtype=torch.uint8)])


def test_normalised_as_the_backbone_was_trained():
    network = backbone()
    network.pretrained_cfg = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    model = build(network, 3, detector(), 0).eval()
    seen = watch(model.backbone)
    image = torch.rand(3, 64, 64)
    model([image])
    assert torch.equal(seen[0][0], image)


def watch(module: nn.Module) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    return seen


# 6: frozen batch norms are batch norms in evaluation mode, epsilon included
def test_frozen_is_evaluation_mode():
    network = backbone()
    for layer in batch_norms(network):
        layer.eps = 0.3
        nn.init.uniform_(layer.weight, 0.5, 2)
        nn.init.uniform_(layer.bias, -1, 1)
    x = torch.randn(3, 3, 64, 64)
    expected = network.eval().forward_features(x)
    frozen = pyramid(network, "frozen").train()
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    torch.testing.assert_close(frozen(x)["3"], expected, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())

    def torchvisions(module: nn.Module) -> nn.Module:
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                other = FrozenBatchNorm2d(child.num_features, child.eps)
                other.load_state_dict(child.state_dict())
                setattr(module, name, other)
            else:
                torchvisions(child)
        return module

    torch.testing.assert_close(torchvisions(frozen)(x)["3"], expected, rtol=1e-4, atol=1e-4)


def test_statistics_that_were_never_measured_are_not_frozen():
    fresh = timm.create_model("resnet18", num_classes=0)
    with pytest.raises(UserError, match="never measured.*norm: sync"):
        build(fresh, 3, detector(), 0)
    build(fresh, 3, detector(norm="sync"), 0)


@pytest.mark.parametrize("norm", ["frozen", "sync"])
def test_training_mode_and_batch_norms(norm):
    model = build(backbone(), 3, detector(norm=norm), 0)
    for mode in (True, False, True):
        model.train(mode)
        assert {layer.training for layer in batch_norms(model)} == {mode and norm == "sync"}
    before = [layer.running_var.clone() for layer in batch_norms(model)]
    with torch.no_grad():
        model(*examples())
    moved = [not torch.equal(layer.running_var, b) for layer, b in zip(batch_norms(model), before)]
    assert set(moved) == {norm == "sync"}


# 7: what autocast makes of batch norms, anchors and deltas
def test_bfloat16_where_it_is_safe():
    model = build(backbone(), 3, detector(), 0).train()
    boxes: list[torch.Tensor] = []
    model.roi_heads.box_roi_pool.register_forward_pre_hook(lambda _, inputs: boxes.extend(inputs[1]))
    types = []
    model.backbone.body.layer4[-1].bn2.register_forward_hook(lambda _, __, out: types.append(out.dtype))
    images, targets = examples()
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(images, targets)
        assert types == [torch.bfloat16]
        maps = model.backbone(model.transform(images)[0].tensors)
        logits, deltas = model.rpn.head(list(maps.values()))
        anchors = model.rpn.anchor_generator(model.transform(images)[0], list(maps.values()))
    assert {t.dtype for t in (*boxes, *logits, *deltas, *anchors, *losses.values())} == {torch.float32}
    for box in boxes:  # not rounded to 8 bits
        assert not torch.equal(box, box.bfloat16().float())
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_bfloat16_is_left_alone_on_a_cpu():
    runs = [tuning(bf16=flag) for flag in (True, False)]
    for job in runs:
        job.advance(2)
    assert all(torch.equal(a, b) for a, b in zip(*(job.model.state_dict().values() for job in runs)))


# 8: batch statistics need more than one value a channel
def test_one_image_of_one_cell_has_no_statistics():
    model = build(backbone(), 3, detector(norm="sync"), 0).train()
    with pytest.raises(ValueError, match="more than 1 value"):
        model.backbone(torch.rand(1, 3, 32, 32))
    model.backbone(torch.rand(2, 3, 32, 32))
    with pytest.raises(ValidationError, match="at least 2 images"):
        detector(norm="sync", batch=1)


# 10: labels are 1 … C
def test_labels():
    assert build(backbone(), 3, detector(), 0).roi_heads.box_predictor.cls_score.out_features == 4
    for label in (0, 4):
        toys = Rectangles(2)
        toys.all[1].labels[0] = label
        with pytest.raises(UserError, match=r"toy/001: labels must be 1 to 3"):
            tuning(data=toys)
    images, targets = examples()
    assert {t["labels"].dtype for t in targets} == {torch.int64}
    losses = build(backbone(), 3, detector(), 0).train()(images, targets)
    assert losses["loss_rpn_box_reg"] > 0  # there are positives


# 11: images without objects
def test_empty_images_pass_with_finite_losses():
    model = build(backbone(), 3, detector(), 0).train()
    images, targets = examples()
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    for batch in ([targets[0], empty], [empty, empty]):
        losses = model(images, batch)
        assert all(value.isfinite() for value in losses.values())
    assert losses["loss_box_reg"] == 0 and losses["loss_rpn_box_reg"] == 0
    assert losses["loss_classifier"] > 0 and losses["loss_objectness"] > 0
    model.rpn.filter_proposals = lambda *_: ([torch.zeros(0, 4)] * 2, [torch.zeros(0)] * 2)
    losses = model(images, [empty, empty])  # not a single box
    assert losses["loss_classifier"] == 0
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_an_empty_image_has_detections_too():
    toys = Rectangles(0)
    toys.add(np.zeros((72, 96, 3), np.uint8), [], [])
    (found,) = detect(build(backbone(), 3, detector(), 0), toys, toys.all, detector(), CPU)
    assert found.boxes.shape == (len(found.scores), 4) and found.labels.dtype == np.int64
    evaluate(toys.all, [found], 3)


# 12: boxes without area
def test_boxes_without_area_are_refused_and_one_pixel_passes():
    toys = Rectangles(2)
    toys.all[1].boxes[0] = [10, 10, 11, 11]  # VOC's xmin = xmax = 11
    trainable(toys.all, 3, "train")
    job = tuning(data=toys)
    job.advance(1)
    assert np.isfinite(job.history[0]["loss"])
    for box in ([10, 10, 10, 20], [20, 10, 10, 20], [10, 10, np.nan, 20]):
        toys.all[1].boxes[0] = box
        with pytest.raises(UserError, match="toy/001: boxes must have a positive width"):
            trainable(toys.all, 3, "train")


# 13: what is not a number spreads without an error
def test_a_loss_that_is_not_finite_stops_with_network_and_iteration():
    job = tuning()
    job.advance(2)
    with torch.no_grad():
        job.model.rpn.head.cls_logits.bias[0] = float("nan")
    before = {name: value.clone() for name, value in job.model.state_dict().items()}
    with pytest.raises(UserError, match="toy: the detection loss is not finite at iteration 2 .*lower `lr`"):
        job.advance(4)
    assert job.iteration == 2 and "nan" not in str(job.history)
    assert all(
        torch.equal(a, b) for a, b in zip(before.values(), job.model.state_dict().values()) if not b.isnan().any()
    )


def test_divergence_is_noticed():
    with pytest.raises(UserError, match="toy: the detection loss is not finite at iteration"):
        tuning(lr=1000.0, warmup=0).advance(10)


# 14: mirrored boxes (see test_detection_batches.py), and boxes in pixels of the original image
@pytest.mark.parametrize(("height", "width"), [(72, 96), (144, 192), (200, 30)])
def test_detections_are_in_pixels_of_the_original(height, width):
    toys, params = Rectangles(0), detector(test_size=64)
    toys.add(np.zeros((height, width, 3), np.uint8), [], [])
    model = build(backbone(), 3, params, 0)

    def whole(features, proposals, image_shapes, targets=None):
        h, w = image_shapes[0]
        return [
            {
                "boxes": torch.tensor([[0.0, 0, w / 2, h]]),
                "labels": torch.tensor([1]),
                "scores": torch.ones(1),
            }
        ], {}

    model.roi_heads.forward = whole
    (found,) = detect(model, toys, toys.all, params, CPU)
    np.testing.assert_allclose(found.boxes, [[0, 0, width / 2, height]], rtol=1e-5)


# 16: statistics measured on random views would differ from one time to the next
def test_precise_statistics_depend_on_nothing_random():
    job = tuning(norm="sync", precise_bn=3)
    layers = batch_norms(job.model)

    def measure() -> list[torch.Tensor]:
        job.detect(TOYS.all[:1])
        return [t.clone() for layer in layers for t in (layer.running_mean, layer.running_var)]

    first = measure()
    torch.manual_seed(99)
    job.iteration = 40
    for layer in layers:
        layer.running_mean.add_(5)
    assert all(torch.equal(a, b) for a, b in zip(first, measure()))
    assert {layer.momentum for layer in layers} == {0.1} and not job.model.training

    seen = watch(job.model.backbone.body.bn1)
    measure()
    inputs = seen[:3]  # of the three batches: their statistics, averaged
    mean = torch.stack([x.mean((0, 2, 3)) for x in inputs]).mean(0)
    var = torch.stack([x.var((0, 2, 3)) for x in inputs]).mean(0)
    torch.testing.assert_close(job.model.backbone.body.bn1.running_mean, mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(job.model.backbone.body.bn1.running_var, var, rtol=1e-4, atol=1e-5)


def test_the_images_of_precise_statistics_are_not_augmented():
    job = tuning(norm="sync", precise_bn=3)
    seen = watch(job.model.backbone)
    job.detect(TOYS.all[:1])
    assert len(seen) == 4
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    whole = [training_example(TOYS.image(a.id), Item(a, False, 64), 96, CPU)[0] for a in TOYS.all]
    for image in (image for batch in seen[:3] for image in batch):
        cut = [image[:, : x.shape[1], : x.shape[2]] * std + mean for x in whole]
        assert any(p.shape == x.shape and torch.allclose(p, x, atol=1e-5) for p, x in zip(cut, whole))
