"""The baseline, trained on with the corpus images nearest to a task's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.corpus.store import ImageStore
from sdr.nets.calibrate import statistics
from sdr.nets.embed import Embedding, embed
from sdr.nets.folder import load_backbone, save_resnet
from sdr.sources.corpus import Data, prepare
from sdr.ssl.folder import load_network, save_network
from sdr.ssl.method import build
from sdr.train.adapt import Adapt, Recipe, adapt, continuation, nearest
from sdr.train.loop import train
from tests.train import toys
from tests.train.toys import CPU, Noise, common, weights

SHOW = Embedding(side=16, batch_size=8)
SINGLE = toys.SPEC.single()


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))


def recipe(**changes) -> Recipe:
    return Recipe(common(method="simclr", **changes), toys.SGD, 1, SHOW, 16)


def make_artifacts(root: Path, monkeypatch) -> Path:
    """A corpus of 40 pictures, half of them dark, with a baseline that nobody trained, as the pipeline leaves them."""
    folder = root / "corpus"
    folder.mkdir(parents=True)
    for i, image in enumerate(Noise().images):
        Image.fromarray(image // 8 if i % 2 else image).save(folder / f"{i:02d}.png")
    monkeypatch.setenv("SDR_DATA", str(folder))
    made = root / "artifacts"
    for name in ("data", "features", "baseline", "backbones/baseline"):
        (made / name).mkdir(parents=True)
    prepare(Data(source="folder", side=16, store="decoded", reencode=None, max_bad_fraction=0.0), made / "data")
    torch.manual_seed(3)
    network = build("simclr", SINGLE, SINGLE.supernet_widths, toys.HEADS)
    save_network(made / "baseline", network, SINGLE, toys.HEADS)
    save_resnet(made / "backbones/baseline", network.backbone, SINGLE, SINGLE.supernet_widths, 16)
    data = ImageStore.open(made / "data")
    found = embed(load_backbone(made / "backbones/baseline", CPU), data.read(np.arange(len(data))), SHOW, CPU)
    np.save(made / "features/features.npy", found)
    return made


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 30), st.integers(1, 12), st.integers(0, 99))
def test_nearest_by_hand(data, n, m, seed):
    """Against loops over rounds in float64."""
    images = data.draw(st.integers(1, n + 3))
    rng = np.random.default_rng(seed)
    corpus, task = (rng.normal(size=(k, 4)).astype(np.float32) for k in (n, m))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (corpus.astype(float), task.astype(float))]
    cosine = unit[1] @ unit[0].T
    ranked = np.argsort(-cosine, axis=1)
    chosen: list[int] = []
    for turn in range(n):
        for i in sorted(range(m), key=lambda i: -cosine[i, ranked[i, turn]]):
            if ranked[i, turn] not in chosen and len(chosen) < images:
                chosen.append(int(ranked[i, turn]))
    found = nearest(corpus, task, images, CPU)
    assert found.dtype == np.int64 and found.tolist() == sorted(chosen) and len(found) == min(images, n)


def test_it_starts_from_the_baseline_and_goes_on_to_the_same_bits(scratch):
    torch.manual_seed(1)
    start = build("simclr", SINGLE, SINGLE.supernet_widths, toys.HEADS)
    still = continuation(Adapt(images=40, steps=3, lr=1e-12), recipe(), 40)
    found, history, _ = train(still, Noise(), None, CPU, start)
    torch.testing.assert_close(weights(found), weights(start), rtol=1e-5, atol=1e-6)
    job = continuation(Adapt(images=40, steps=8, lr=0.5), recipe(), 40)
    whole, history, _ = train(job, Noise(), None, CPU, start)
    assert not torch.equal(weights(whole), weights(start)) and job.optimization.lr == 0.5
    with pytest.raises(KeyboardInterrupt):
        train(job, Noise(fuse=4), Checkpoints("t", {}, 0.0), CPU, start)
    rest, again, _ = train(job, Noise(), Checkpoints("t", {}, 0.0), CPU, start)
    assert torch.equal(weights(whole), weights(rest)) and history == again


def test_a_task_of_pictures_of_the_corpus_takes_these(scratch, tmp_path, monkeypatch):
    made = make_artifacts(tmp_path, monkeypatch)
    pictures = ImageStore.open(made / "data").read(np.arange(40))
    dark = np.flatnonzero(pictures.reshape(40, -1).max(axis=1) < 32)[:6]
    found = adapt(made, pictures[dark], Adapt(images=6, steps=4, lr=0.1), recipe(), CPU)
    assert found.facts == {"steps": 4, "images": 6, "macs": found.facts["macs"]} and found.facts["macs"] > 0
    assert found.rows.tolist() == dark.tolist()
    assert len(found.history) == 4 and found.cost["images"] == 32
    before = load_network(made / "baseline")[0].backbone
    assert not torch.equal(weights(found.backbone), weights(before))
    assert torch.isfinite(statistics(found.backbone)).all()


def test_what_does_not_belong_together_is_told(scratch, tmp_path, monkeypatch):
    made, wanted = make_artifacts(tmp_path, monkeypatch), Adapt(images=12, steps=4, lr=0.1)
    with pytest.raises(UserError, match=r"has backbone .*, but a sub-net has"):
        adapt(made, Noise().images, wanted, recipe(backbone=toys.SPEC.model_copy(update={"layers": [1, 1, 1, 2]})), CPU)
    file = made / "features/features.npy"
    np.save(file, np.load(file)[1:])
    with pytest.raises(UserError, match="features.npy: not of the images in .*; run `dvc repro extract`"):
        adapt(made, Noise().images, wanted, recipe(), CPU)
    file.unlink()
    with pytest.raises(UserError, match="features.npy: not found; run `dvc repro extract`"):
        adapt(made, Noise().images, wanted, recipe(), CPU)
