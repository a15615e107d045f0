"""The detector against hand-computed losses, torchvision's own listings, and the numbers of its initialisation."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign, roi_align

from sdr.detect.components import Pooler, SeededSampler
from sdr.detect.detector import build
from tests.detect.toys import backbone, detector


def model(seed: int = 0, **changes):
    return build(backbone(), 3, detector(**changes), seed)


class Chosen:
    """A sampler that picks given positives and negatives."""

    batch_size_per_image = 8

    def __init__(self, positive: list[int], negative: list[int]):
        self.chosen = positive, negative

    def __call__(self, labels):
        n = [len(each) for each in labels]
        flat = [torch.zeros(sum(n), dtype=torch.bool).index_fill_(0, torch.tensor(c), True) for c in self.chosen]
        return flat[0].split(n), flat[1].split(n)


def test_rpn_losses_are_sums_over_256_times_images():
    rpn = model().rpn
    rpn.fg_bg_sampler = Chosen([1], [0, 5])  # three anchors of two images with four each
    objectness = torch.tensor([0.5, -1.0, 9, 9, 9, 2.0, 9, 9])[:, None]
    deltas, targets = torch.zeros(8, 4), torch.zeros(8, 4)
    deltas[1], targets[1] = torch.tensor([0.5, -1.0, 2.0, 0.05]), torch.tensor([0.25, 1.0, 2.0, 0.0])
    labels = [torch.tensor([0.0, 1, -1, -1]), torch.tensor([-1.0, 0, -1, -1])]
    score, box = rpn.compute_loss(objectness, deltas, labels, list(targets.split(4)))
    assert box.item() == pytest.approx((0.25 + 2.0 + 0.0 + 0.05) / (8 * 2))  # |·|, of any size
    expected = F.softplus(torch.tensor([0.5, 1.0, 2.0])).sum()  # -log(1-p), -log(p), -log(1-p)
    assert score.item() == pytest.approx(expected.item() / (8 * 2), rel=1e-6)


def test_roi_losses_are_l1_over_the_sampled_boxes():
    heads = model().roi_heads.train()
    proposals = [torch.tensor([[0.0, 0, 16, 16], [30, 30, 50, 60], [5, 5, 9, 9]])]
    targets = [{"boxes": torch.tensor([[2.0, 0, 18, 16]]), "labels": torch.tensor([2])}]
    logits = torch.tensor([[1.0, 0, 2, 0], [0, 0, 0, 0], [3.0, 0, 0, 0], [0, 0, 1.0, 0]])  # and the object itself
    deltas = torch.arange(4 * 16.0).view(4, 16) / 10
    heads.box_roi_pool.forward = heads.box_head.forward = lambda *_: None
    heads.box_predictor.forward = lambda x: (logits, deltas)
    _, losses = heads({}, proposals, [(64, 64)], targets)
    labels = torch.tensor([2, 0, 0, 2])  # IoU .78, 0, .06, 1
    assert losses["loss_classifier"].item() == pytest.approx(F.cross_entropy(logits, labels).item())
    encoded = torch.tensor([[10 * 2 / 16, 0, 0, 0], [0, 0, 0, 0]])  # weights 10 10 5 5
    expected = (deltas[[0, 3], 8:12] - encoded).abs().sum() / 4
    assert losses["loss_box_reg"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_numbers_of_the_reference():
    real = model(
        train_sizes=[480, 800],
        test_size=800,
        max_size=1333,
        channels=256,
        hidden=1024,
        anchors=[32, 64, 128, 256, 512],
        canonical=224,
        rpn_batch=256,
        roi_batch=512,
        pre_nms=[2000, 1000],
        post_nms=[1000, 1000],
    )
    rpn, heads = real.rpn, real.roi_heads
    assert (rpn._pre_nms_top_n, rpn._post_nms_top_n) == (
        {"training": 2000, "testing": 1000},
        {"training": 1000, "testing": 1000},
    )
    assert (rpn.proposal_matcher.high_threshold, rpn.proposal_matcher.low_threshold) == (0.7, 0.3)
    assert (heads.proposal_matcher.high_threshold, heads.proposal_matcher.low_threshold) == (0.5, 0.5)
    for sampler, size, share in ((rpn.fg_bg_sampler, 256, 0.5), (heads.fg_bg_sampler, 512, 0.25)):
        assert (sampler.batch_size_per_image, sampler.positive_fraction) == (size, share)
    assert (rpn.nms_thresh, heads.nms_thresh, heads.score_thresh, heads.detections_per_img) == (
        0.7,
        0.5,
        0.05,
        100,
    )
    assert (rpn.box_coder.weights, heads.box_coder.weights) == ((1.0,) * 4, (10.0, 10.0, 5.0, 5.0))
    assert rpn.anchor_generator.num_anchors_per_location() == [3] * 5
    assert (real.transform.min_size, real.transform.max_size, real.transform.size_divisible) == (
        (800,),
        1333,
        32,
    )
    for layer, std in (
        (rpn.head.conv[0][0], 0.01),
        (rpn.head.cls_logits, 0.01),
        (rpn.head.bbox_pred, 0.01),
        (heads.box_predictor.cls_score, 0.01),
        (heads.box_predictor.bbox_pred, 0.001),
        (heads.box_head.fc6, (256 * 49) ** -0.5),
        (heads.box_head.fc7, 1024**-0.5),  # uniform ±√(3 / fan-in)
        (real.backbone.fpn.inner_blocks[0][0], 8**-0.5),
    ):
        assert layer.weight.std().item() == pytest.approx(std, rel=0.1) and not layer.bias.any()
    assert heads.box_head.fc6.in_features == 256 * 49 and heads.box_predictor.cls_score.out_features == 4


def test_new_layers_are_functions_of_the_seed_and_nothing_else_is_touched():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, two = model(), build(backbone("bottleneck", widths=(9, 10, 11, 13), seed=1), 3, detector(), 0)
    assert torch.equal(torch.rand(3), expected)  # the global generator is as before
    for name, value in [*one.rpn.state_dict().items(), *one.roi_heads.state_dict().items()]:
        assert torch.equal(value, {**two.rpn.state_dict(), **two.roi_heads.state_dict()}[name])
    assert not torch.equal(one.roi_heads.box_head.fc6.weight, model(seed=1).roi_heads.box_head.fc6.weight)


def test_the_backbone_is_copied():
    network = backbone()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    built = build(network, 3, detector(), 0)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_anchors_are_torchvisions_but_for_rounding():
    ours = model(anchors=[32, 64, 128, 256, 512]).rpn.anchor_generator
    theirs = AnchorGenerator(tuple((s,) for s in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5)
    images = ImageList(torch.zeros(2, 3, 256, 320), [(256, 320), (200, 300)])
    maps = [torch.zeros(2, 1, 256 // s, 320 // s, dtype=torch.bfloat16) for s in (4, 8, 16, 32, 64)]
    one, two = ours(images, maps), theirs(images, [m.float() for m in maps])
    assert len(one) == 2 and one[0].dtype == torch.float32
    torch.testing.assert_close(one[0], two[0], atol=0.5, rtol=0)
    cell = one[0][0]  # 32 × 32 at aspect 1/2, around the origin
    assert cell.tolist() == pytest.approx([-22.627, -11.314, 22.627, 11.314], abs=1e-3)


def test_the_strides_of_small_images_are_right():
    """128 pixels have a P6 of 2 × 2; its stride is 64. 96 pixels too: 96 / 2 would be 48."""
    generator = model().rpn.anchor_generator
    maps = [torch.zeros(1, 1, n, n) for n in (24, 12, 6, 3, 2)]
    anchors = generator(ImageList(torch.zeros(1, 3, 96, 96), [(96, 96)]), maps)[0]
    centres = (anchors[-12:, :2] + anchors[-12:, 2:]) / 2
    assert centres.unique().tolist() == pytest.approx([0, 64], abs=1e-4)


def boxes_of_all_sizes() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    sides = torch.rand(40, 2, generator=rng) * 200 + 4
    corner = torch.rand(40, 2, generator=rng) * (256 - sides).clamp(min=0)
    boxes = torch.cat([corner, corner + sides], 1)
    return [boxes[:25], boxes[25:]]


def test_pooling_is_torchvisions_from_the_same_levels_but_aligned():
    boxes = boxes_of_all_sizes()
    x = {str(i): torch.randn(2, 4, 256 // s, 256 // s) for i, s in enumerate((4, 8, 16, 32))}
    ours = Pooler(7, 56)(x, boxes, [(256, 256)] * 2)
    theirs = MultiScaleRoIAlign(list(x), 7, 0, canonical_scale=56)
    theirs(x, boxes, [(256, 256)] * 2)
    levels = theirs.map_levels(boxes)
    assert levels.unique().tolist() == [0, 1, 2, 3]
    rois = [(i, box) for i, each in enumerate(boxes) for box in each]
    for pooled, level, (image, box) in zip(ours, levels.tolist(), rois):
        roi = torch.tensor([[image, *box]])
        expected = roi_align(x[str(level)], roi, 7, 1 / 2 ** (level + 2), 0, aligned=True)
        torch.testing.assert_close(pooled[None], expected)


def test_pooling_knows_its_strides_whatever_it_saw_first():
    """65 pixels are padded to 96: guessed from 24 / 65, the stride of P2 would be 2."""
    x = {str(i): torch.randn(1, 4, 96 // s, 96 // s) for i, s in enumerate((4, 8, 16, 32))}
    box = [torch.tensor([[8.0, 8, 30, 30]])]
    fresh, used = Pooler(7, 224), Pooler(7, 224)
    used({k: torch.zeros(1, 4, 3, 3) for k in x}, box, [(5, 5)])
    assert torch.equal(fresh(x, box, [(65, 65)]), used(x, box, [(65, 65)]))
    assert torch.equal(fresh(x, box, [(65, 65)]), fresh(x, box, [(96, 96)]))
    assert fresh(x, [torch.zeros(0, 4)], [(65, 65)]).shape == (0, 4, 7, 7)


def test_the_sampler_draws_by_its_generators_alone():
    labels = [
        torch.tensor([1.0] * 20 + [0.0] * 30 + [-1.0] * 9),
        torch.tensor([0.0] * 59),
        torch.tensor([1.0, -1.0]),
    ]
    sampler = SeededSampler(16, 0.25)

    def draw(seeds: list[int], which: list[int]) -> list[tuple]:
        sampler.generators = [torch.Generator().manual_seed(s) for s in seeds]
        positive, negative = sampler([labels[i] for i in which])
        for p, n, i in zip(positive, negative, which):
            assert (labels[i][p] >= 1).all() and (labels[i][n] == 0).all()
        return [(p.tolist(), n.tolist()) for p, n in zip(positive, negative)]

    torch.manual_seed(0)
    together = draw([1, 2, 3], [0, 1, 2])
    torch.manual_seed(1)
    assert together == [draw([s], [i])[0] for s, i in ((1, 0), (2, 1), (3, 2))]
    assert together != draw([4, 5, 6], [0, 1, 2])
    assert [(sum(p), sum(n)) for p, n in together] == [(4, 12), (0, 16), (1, 0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 6, "accumulate": 4}, "6 images cannot be cut into 4"),
        ({"norm": "sync", "accumulate": 2}, "accumulate must be 1 with norm: sync"),
        ({"norm": "sync", "precise_bn": 0}, "precise_bn must be positive"),
        ({"norm": "sync", "batch": 1}, "at least 2 images"),
        ({"steps": [50, 40]}, "steps must increase"),
        ({"steps": [60]}, "end before 60"),
        ({"test_size": 100}, "max_size 96"),
        ({"anchors": [8, 16, 32, 64]}, "at least 5 items"),
    ],
)
def test_contradictions_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        detector(**change)


@pytest.mark.parametrize("change", [{"batch": 6, "accumulate": 3}, {"norm": "sync"}, {"steps": []}, {"warmup": 0}])
def test_what_is_allowed(change):
    detector(**change)
