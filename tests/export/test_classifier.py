"""A classifier on a frozen backbone: timm computes what the solver found, and its softmax is calibrated."""

import json

import numpy as np
import pytest
import timm
import torch
from sklearn.linear_model import LogisticRegression

from sdr.base.errors import UserError
from sdr.evaluate.temperature import softmax, temperature
from sdr.export.classifier import LINEAR, fit_classifier, fit_head, open_backbone
from sdr.nets.embed import evaluation_view
from sdr.nets.folder import save_timm
from sdr.tasks.read_labelled import Split, split_by_hash
from tests.compare.checkpoints import randomise

CPU = torch.device("cpu")
CLASSES = ["red, rather", "größer", "stripes"]


def pictures(n: int, seed: int, side: int = 32) -> Split:
    """Noise with a colour or stripes by class, in the way of which is more noise."""
    random = np.random.default_rng(seed)
    targets = np.arange(n) % 3
    images = random.integers(0, 200, (n, side, side, 3))
    images[targets == 0, ..., 0] += random.integers(0, 60, ((targets == 0).sum(), 1, 1))
    images[targets == 2, ::2] += random.integers(0, 60, ((targets == 2).sum(), 1, 1, 1))
    return Split(
        np.clip(images, 0, 255).astype(np.uint8), targets.astype(np.int64), [f"{seed}-{i * 7919 % n}" for i in range(n)]
    )


@pytest.fixture(scope="module", params=["resnet10t", "vit_tiny_patch16_224"])
def backbone(request, tmp_path_factory):
    """A network with noise for weights: one of ours in kind, and one of another normalisation, head and fixed size."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    arguments = {"img_size": 32, "depth": 2, "embed_dim": 48} if "vit" in request.param else {}
    network = timm.create_model(request.param, num_classes=0, **arguments).eval()
    if not arguments:
        randomise(network)
        network.pretrained_cfg |= {"input_size": (3, 32, 32)}
    save_timm(folder, network, {}, **arguments)
    return folder


@pytest.fixture(scope="module")
def fitted(backbone, tmp_path_factory):
    out = tmp_path_factory.mktemp("classifier")
    splits = {"train": pictures(90, 1), "val": pictures(60, 2), "test": pictures(60, 3)}
    return backbone, out, splits, fit_classifier(out, backbone, splits, CLASSES, CPU)


def by_timm(folder, images: np.ndarray) -> np.ndarray:
    """Logits by timm alone, which normalises by the folder's own mean and deviation."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    cfg = model.pretrained_cfg
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(cfg["mean"]).view(3, 1, 1)) / torch.tensor(cfg["std"]).view(3, 1, 1)
    with torch.inference_mode():
        return model(x).numpy()


def test_timm_alone_gives_the_solvers_logits(fitted):
    backbone, out, splits, facts = fitted
    network, _, side = open_backbone(backbone, CPU)
    with torch.inference_mode():
        x = {name: network(evaluation_view(split.images, side, CPU)).numpy() for name, split in splits.items()}
    head = fit_head((x["train"], splits["train"].targets), (x["val"], splits["val"].targets), 3)
    expected, found = head.logits(x["test"]), by_timm(out, splits["test"].images)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert facts["test_accuracy"] == pytest.approx(100 * (found.argmax(1) == splits["test"].targets).mean())
    assert facts["test_accuracy"] > 45 and facts["temperature"] == pytest.approx(head.facts["temperature"])


def test_the_head_is_scikit_learns_at_that_penalty_over_the_temperature(fitted):
    backbone, out, splits, facts = fitted
    network, _, side = open_backbone(backbone, CPU)
    with torch.inference_mode():
        x = {name: network(evaluation_view(split.images, side, CPU)).double().numpy() for name, split in splits.items()}
    y = {name: split.targets for name, split in splits.items()}

    def theirs(*names) -> LogisticRegression:
        model = LogisticRegression(C=1 / facts["penalty"], tol=1e-8, max_iter=10_000)
        return model.fit(np.concatenate([x[n] for n in names]), np.concatenate([y[n] for n in names]))

    t = temperature(theirs("train").decision_function(x["val"]), y["val"])
    assert facts["temperature"] == pytest.approx(t, rel=0.02)
    expected = softmax(theirs("train", "val").decision_function(x["test"]) / t)
    assert np.abs(softmax(by_timm(out, splits["test"].images)) - expected).max() < 0.02


def test_what_it_says_of_itself(fitted):
    backbone, out, _, facts = fitted
    config = json.loads((out / "config.json").read_text())
    assert config["label_names"] == CLASSES and config["num_classes"] == 3
    assert config["sdr"]["classifier"] == facts and facts["images"] == 150 and facts["validation_images"] == 60
    model = timm.create_model(f"local-dir:{out}", pretrained=True)
    assert list(model.pretrained_cfg["label_names"]) == CLASSES
    features = timm.create_model(f"local-dir:{out}", pretrained=True, num_classes=0).eval()
    bare = timm.create_model(f"local-dir:{backbone}", pretrained=True).eval()
    x = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(features(x), bare(x))


def test_without_a_validation_split_a_fifth_validates_by_hash_and_a_classifier_is_a_backbone_too(fitted, tmp_path):
    _, classifier, splits, _ = fitted
    facts = fit_classifier(tmp_path, classifier, {"all": splits["train"]}, CLASSES, CPU)
    held = split_by_hash(splits["train"], LINEAR.val_fraction)[1]
    assert facts["validation_images"] == len(held) == 18 and facts["images"] == 90 and "test_images" not in facts
    assert by_timm(tmp_path, splits["test"].images).shape == (60, 3)


def test_written_in_place(backbone, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((backbone / name).read_bytes())
    fit_classifier(tmp_path, tmp_path, {"all": pictures(30, 1)}, CLASSES, CPU)
    assert by_timm(tmp_path, pictures(4, 5).images).shape == (4, 3)


def test_a_network_without_a_place_for_a_head_is_refused(tmp_path):
    from sdr.nets.folder import save_pixels

    save_pixels(tmp_path, 8, {})
    with pytest.raises(UserError, match="no network that can have a head"):
        open_backbone(tmp_path, CPU)
