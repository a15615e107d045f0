"""The proxy: features of boxes against dense sampling, and neighbours that never come from the same picture."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.detect import proxy
from sdr.detect.proxy import Proxy, evenly, leave_picture_out
from sdr.evaluate.knn import Knn, leave_one_out
from sdr.nets.pixels import normalise, unit_interval
from tests.detect.toys import Rectangles, backbone

CPU = torch.device("cpu")
KNN = Knn(k=5, temperature=0.07)


class Training(Rectangles):
    """Rectangles that may be used for training alone."""

    def annotations(self, split):
        assert split == "train"
        return self.all


def make(data, images=100, side=72, longest=96, knn=KNN) -> Proxy:
    return Proxy(data, images, side, longest, knn, CPU)


def brute_force(x, labels, picture, n_classes, knn):
    """The definition, a box at a time."""
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    scores = np.zeros((len(x), n_classes))
    for i in range(len(x)):
        others = [j for j in range(len(x)) if picture[j] != picture[i]]
        cosine = unit @ unit[i]
        for j in sorted(others, key=lambda j: (-round(cosine[j], 6), j))[: knn.k]:
            scores[i, labels[j]] += np.exp(cosine[j] / knn.temperature)
    return scores / scores.sum(axis=1, keepdims=True)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(2, 25),
    pictures=st.integers(2, 8),
    k=st.integers(1, 30),
    copies=st.booleans(),
    seed=st.integers(0, 9999),
)
def test_votes_equal_brute_force(n, pictures, k, copies, seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4)).astype(np.float32)
    if copies:
        x[n // 2 :] = x[0]
    labels, picture = random.integers(3, size=n), random.integers(pictures, size=n)
    picture[:2] = 0, 1
    knn = Knn(k=k, temperature=0.2)
    scores = leave_picture_out(torch.from_numpy(x), labels, picture, 3, knn)
    np.testing.assert_allclose(scores, brute_force(x, labels, picture, 3, knn), atol=1e-4)


def test_with_one_box_a_picture_it_is_leave_one_out(monkeypatch):
    random = np.random.default_rng(0)
    x, labels = torch.from_numpy(random.normal(size=(60, 6)).astype(np.float32)), random.integers(4, size=60)
    scores = leave_picture_out(x, labels, np.arange(60), 4, KNN)
    np.testing.assert_allclose(scores, leave_one_out(x, labels, 4, 5, 0.07), atol=1e-4)
    monkeypatch.setattr(proxy, "_COSINES", 60 * 7)  # blocks of 7 boxes
    np.testing.assert_array_equal(leave_picture_out(x, labels, np.arange(60), 4, KNN), scores)


def test_boxes_of_the_same_picture_have_no_vote():
    """Each picture has its own class and its own look: only a leak could answer."""
    x = torch.eye(10).repeat_interleave(3, 0)
    picture = np.repeat(np.arange(10), 3)
    scores = leave_picture_out(x, picture, picture, 10, Knn(k=2, temperature=0.07))
    assert scores[np.arange(30), picture].max() == 0


@given(st.integers(1, 50), st.integers(1, 60))
def test_evenly_spaced(n, count):
    chosen = evenly(range(n), count)
    assert len(chosen) == min(n, count) and chosen[0] == 0
    steps = np.diff([*chosen, n])
    assert (steps > 0).all() and steps.max() - steps.min() <= 1


def dense(network, image: np.ndarray, box: np.ndarray) -> torch.Tensor:
    """The mean of C4 and of C5 over a box, by bilinear samples on a fine grid, in unit length."""
    x = normalise(unit_interval(torch.from_numpy(image)[None]))
    height, width, _ = image.shape
    x = F.pad(x, (0, -width % 32, 0, -height % 32))
    with torch.no_grad():
        maps = network.forward_intermediates(x, indices=[3, 4], intermediates_only=True)
    listings = []
    for fmap, stride in zip(maps, (16, 32)):
        left, top, right, bottom = box / stride
        points = []
        for low, high, cells in ((top, bottom, fmap.shape[2]), (left, right, fmap.shape[3])):
            count = 7 * int(np.ceil((high - low) / 7))  # of samples: a whole number in each of 7 cells
            at = low + (high - low) * (np.arange(count) + 0.5) / count
            points.append(torch.tensor(2 * at / cells - 1, dtype=torch.float32))
        y, x = torch.meshgrid(*points, indexing="ij")
        samples = F.grid_sample(fmap, torch.stack([x, y], -1)[None], padding_mode="border", align_corners=False)
        listings.append(F.normalize(samples.mean((2, 3)), dim=1)[0])
    return torch.cat(listings)


def test_features_equal_dense_sampling_of_the_stages():
    """Pictures of 72×96 and 96×72 at their own size: nothing is resized, but 72 is padded."""
    data, network = Training(), backbone()
    pool = make(data)
    features = pool.features(network)
    boxes = [(data.all[i], box) for i in range(12) for box in range(len(data.all[i].boxes))]
    expected = torch.stack([dense(network, data.image(a.id), a.boxes[box]) for a, box in boxes])
    assert features.shape == (len(boxes), sum(info["num_chs"] for info in network.feature_info[3:]))
    # The pool sorts pictures by shape, so match by content: each row has exactly one equal
    distance = torch.cdist(features, expected)
    match = distance.argmin(1)
    assert sorted(match.tolist()) == list(range(len(boxes)))
    assert distance.gather(1, match[:, None]).max() < 1e-3
    labels = np.array([a.labels[box] - 1 for a, box in boxes])
    np.testing.assert_array_equal(pool.labels, labels[match])
    picture = np.array([data.all.index(a) for a, _ in boxes])[match]
    same = picture[:, None] == picture
    np.testing.assert_array_equal(pool.picture[:, None] == pool.picture, same)


def test_a_backbone_is_used_in_evaluation_mode_and_left_as_it_was():
    network, pool = backbone(), make(Training())
    expected = pool.features(network)
    network.train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    assert torch.equal(pool.features(network), expected)
    assert network.training and all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_batches_change_nothing(monkeypatch):
    network, data = backbone(), Training()
    features = make(data).features(network)
    monkeypatch.setattr(proxy, "_PIXELS", 1)  # a picture a batch
    torch.testing.assert_close(make(data).features(network), features, rtol=1e-4, atol=1e-6)


def test_resizing_takes_the_boxes_along():
    """A picture twice as large, shown at half its size, is the same picture."""
    data, large = Training(), Training()
    for i, a in enumerate(data.all):
        large.images[a.id] = data.images[a.id].repeat(2, 0).repeat(2, 1)
        large.all[i] = dataclasses.replace(a, height=2 * a.height, width=2 * a.width, boxes=2 * a.boxes)
    for one, other in zip(make(large)._batches, make(data)._batches, strict=True):
        assert one.size == other.size and [i.shape for i in one.images] == [i.shape for i in other.images]
        torch.testing.assert_close(one.boxes, other.boxes)


def test_the_long_side_is_limited():
    data = Training(2)
    data.add(np.zeros((10, 400, 3), np.uint8), [[0, 0, 400, 10]], [1])
    shapes = {tuple(image.shape) for batch in make(data)._batches for image in batch.images}
    assert (2, 96, 3) in shapes


def test_difficult_boxes_and_empty_pictures_are_left_out():
    data = Training(9)
    hard = dataclasses.replace(data.all[0], difficult=np.ones(len(data.all[0].boxes), bool))
    listing = dataclasses.replace(data.all[1], difficult=np.arange(len(data.all[1].boxes)) == 0)
    data.all[:2] = hard, listing
    data.add(np.zeros((72, 96, 3), np.uint8), [], [])
    pool = make(data)
    usable = sum(len(a.boxes) for a in data.all[2:]) + len(listing.boxes) - 1
    assert len(pool.labels) == usable == len(pool.features(backbone()))


def test_pictures_are_evenly_spaced():
    data = Training(12)
    seen = []
    image = data.image
    data.image = lambda id: seen.append(id) or image(id)
    assert make(data, images=4).n_images == 4
    assert sorted(seen) == ["toy/000", "toy/003", "toy/006", "toy/009"]


def test_it_tells_a_backbone_that_sees_the_classes_from_one_that_does_not():
    """The classes are black and white: with a stem of zeros a network knows nothing of them."""
    data = Training(0)
    for i in range(24):
        picture = np.full((72, 96, 3), 120, np.uint8)
        picture[16:60, 16:60] = 255 * (i % 2)
        data.add(picture, [[16, 16, 60, 60]], [1 + i % 2])
    pool, seeing, blind = make(data), backbone(), backbone()
    blind.conv1[0].weight.data.zero_()
    assert pool.score(seeing) == pool.score(seeing) == 100
    assert pool.score(blind) <= 60


def test_classes_count_alike():
    """Mean per-class accuracy: 30 boxes of one class and 2 of another that look the same give 50 %."""
    data = Training(0)
    picture = np.full((72, 96, 3), 99, np.uint8)
    for i in range(32):
        data.add(picture, [[8, 8, 60, 60]], [2 if i in (10, 20) else 1])
    assert make(data).score(backbone()) == pytest.approx(50)


def test_bad_input():
    with pytest.raises(UserError, match="at least 2"):
        make(Training(1))
    network = backbone()
    network.layer3[0].conv1.weight.data[0] = torch.nan
    with pytest.raises(UserError, match="NaN"):
        make(Training(4)).score(network)
