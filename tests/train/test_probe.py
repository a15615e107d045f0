"""The probe: its rank against closed forms and numpy; that it changes no bit of a training; that it goes on with it."""

import copy
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError
from sdr.nets.calibrate import calibrate, sample
from sdr.nets.embed import evaluation_view
from sdr.train import probe as module
from sdr.train.loop import train
from sdr.train.probe import COLUMNS, Probe, Probing, effective_rank, write_rows
from tests.train import toys
from tests.train.toys import Noise, baseline_job, common, compute, sdr_job, weights

STILL = toys.SGD.model_copy(update={"lr": 1e-6})  # features as they were drawn, which tell dark from bright


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch):
    """A task `toy` of two classes that any network tells apart, dark and bright, and its entry in params.yaml."""
    monkeypatch.setenv("SDR_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "artifacts/tasks/toy"
    folder.mkdir(parents=True)
    labels = np.arange(24) % 2
    noise = np.random.default_rng(1).integers(0, 60, (24, 16, 16, 3))
    np.save(folder / "train.npy", (noise + 190 * labels[:, None, None, None]).astype(np.uint8))
    meta = {"task": "toy", "metric": "top1", "classes": ["bright", "dark"], "multilabel": False, "n_val": 0}
    (folder / "meta.json").write_text(json.dumps(meta))
    rows = "".join(f"train,{['dark', 'bright'][label]},{i}\n" for i, label in enumerate(labels))
    (folder / "labels.csv").write_text("split,label,origin\n" + rows)
    (tmp_path / "params.yaml").write_text("tasks: {toy: {source: folder, metric: top1}}\n")


def probing(every: int | None = 3, images: int = 16, tasks: tuple[str, ...] = ("toy",)) -> Probing:
    return Probing(every=every, images=images, tasks=list(tasks))


def run(job, wanted: Probing | None, name="x", data=None, seconds=60.0):
    """Train; return the network, the history and the rows."""
    seen = Probe(wanted, job, Noise()) if wanted else None
    network, history, cost = train(job, data or Noise(), Checkpoints("t", {"n": name}, seconds), toys.CPU, probe=seen)
    assert (0 < cost["probe_share"] < 1) == bool(seen and seen.rows)
    return network, history, seen.rows if seen else []


# ── the effective rank ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("r", [1, 3, 8])
def test_orthonormal_directions_of_one_strength_are_counted(r):
    left, right = (torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0] for n in (20, 8))
    assert effective_rank(5 * left[:, :r] @ right[:r]) == pytest.approx(r, rel=1e-9)


def test_two_directions_by_hand():
    """Strengths 3 and 1: the entropy of (3/4, 1/4)."""
    assert effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(4 / 3**0.75)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6), st.floats(-6, 6))
def test_the_rank_is_numpys_within_its_bounds_and_of_any_scale(n, d, seed, power):
    z = np.random.default_rng(seed).standard_normal((n, d))
    values = np.sqrt(np.linalg.eigvalsh(z @ z.T if n <= d else z.T @ z).clip(0))
    shares = values / values.sum()
    expected = math.exp(-sum(share * math.log(share) for share in shares if share > 0))
    found = effective_rank(torch.from_numpy(z * 10**power))
    assert found == pytest.approx(expected, rel=1e-5) and 1 - 1e-9 <= found <= min(n, d) + 1e-9


def test_nothing_has_rank_0_and_what_is_not_finite_is_told():
    assert effective_rank(torch.zeros(4, 3)) == 0
    with pytest.raises(UserError, match="NaN or infinity; lower the learning rate"):
        effective_rank(torch.tensor([[1.0, math.nan]]))


# ── in a training ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "job",
    [
        sdr_job(epochs=2.0),
        baseline_job(common(method="byol"), epochs=1.0),
        sdr_job(common(method="simclr", compute=compute(accumulate=2)), epochs=2.0, own="affine"),
    ],
    ids=["sdr", "baseline, byol", "sdr, simclr, own affine"],
)
def test_no_bit_of_a_training_changes(job):
    found = []
    for wanted in (None, probing(every=2)):
        torch.manual_seed(7)
        network, history, rows = run(job, wanted, str(wanted))
        found.append((network.state_dict() | (network.own or {}), history, torch.get_rng_state()))
        assert len(rows) == (-(-job.schedule.steps // 2) if wanted else 0)
    (plain, history, random), (probed, same, after) = found
    assert plain.keys() == probed.keys() and all(torch.equal(plain[name], probed[name]) for name in plain)
    assert history == same and torch.equal(random, after)


def test_a_look_leaves_the_network_as_it_is():
    """Gradients, modes, buffers and numpy's and torch's random numbers; no autograd graph is left to it."""
    job = baseline_job()
    network = run(job, None)[0].train()
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before, modes = copy.deepcopy(network.state_dict()), [m.training for m in network.modules()]
    state, drawn = torch.get_rng_state(), np.random.get_state()[1].copy()
    Probe(probing(), job, Noise()).look(2, -1, network, [])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert modes == [m.training for m in network.modules()] and all((p.grad == 1).all() for p in network.parameters())
    assert torch.equal(state, torch.get_rng_state()) and (np.random.get_state()[1] == drawn).all()


def test_what_a_row_says():
    job = baseline_job(optimization=STILL)
    network, _, rows = run(job, probing(every=4))
    assert [row["step"] for row in rows] == [3, 7, 9] and job.schedule.steps == 10  # and after the last step
    assert list(rows[0]) == [*COLUMNS, "knn_toy"] and rows[-1]["network"] == "W0" and rows[-1]["phase"] == 0
    assert rows[-1]["knn_toy"] > 90 and 1 <= rows[-1]["rank"] <= 16
    # The rank by batch statistics of the same images: the very forward pass of a training step.
    x = evaluation_view(Noise().read(sample(np.arange(40), 16, 0)), 16, toys.CPU)
    with torch.no_grad():
        z = network.train().projector(network.backbone(x))
    assert rows[-1]["rank"] == pytest.approx(effective_rank(z), abs=0.02)
    # kNN by hand: with 16 images all others vote, by features with the statistics of that sample of the corpus.
    calibrate(network.backbone, x)
    chosen = sample(np.arange(24), 16, 0)
    with torch.no_grad():
        unit = F.normalize(
            network.backbone(evaluation_view(np.load("artifacts/tasks/toy/train.npy")[chosen], 16, toys.CPU))
        )
    votes = torch.exp(unit @ unit.T / 0.07).fill_diagonal_(0) @ F.one_hot(torch.from_numpy(chosen % 2)).float()
    right = votes.argmax(1).numpy() == chosen % 2
    assert rows[-1]["knn_toy"] == pytest.approx(100 * right.mean(), abs=0.01)
    live = (module.scratch() / "live/pretrain-probe.csv").read_text().splitlines()
    assert live[0] == "step,phase,network,rank,knn_toy" and len(live) == 4


def test_the_network_of_the_step_is_looked_at(monkeypatch):
    seen = []
    monkeypatch.setattr(Probe, "look", lambda self, step, network, trained, history: seen.append((network, trained)))
    monkeypatch.setattr("sdr.train.watch.Watch.show", lambda *_: None)
    job = sdr_job(epochs=2.0)
    probe = Probe(probing(1), job, Noise())
    probe.rows = [{}]
    train(job, Noise(), None, toys.CPU, probe=probe)
    assert [network for network, _ in seen] == [job.schedule.network(step) for step in range(10)]
    widths = {network == -1: trained.backbone.num_features for network, trained in seen}
    assert widths == {True: toys.SPEC.supernet_widths[-1], False: toys.SPEC.subnet_widths[-1]}


@pytest.mark.parametrize("stop", [3, 7])
def test_an_interrupted_training_goes_on_to_the_same_rows(stop):
    job = sdr_job(epochs=2.0)
    *_, whole = run(job, probing(), "whole")
    with pytest.raises(KeyboardInterrupt):
        run(job, probing(), "part", Noise(fuse=stop), seconds=0.0)
    assert run(job, probing(), "part")[2] == whole and len(whole) == 4


def test_the_progress_line_shows_it(capsys):
    *_, rows = run(baseline_job(), probing(every=5))
    lines = [line for line in capsys.readouterr().out.splitlines() if "step " in line]
    assert "rank" not in lines[3] and f", rank {rows[0]['rank']:.1f}, toy {rows[0]['knn_toy']:.1f}%, " in lines[4]


def test_switched_off_nothing_is_read_or_written(tmp_path):
    *_, rows = run(baseline_job(), probing(None, tasks=("nowhere",)))
    write_rows(tmp_path / "probe.csv", rows)
    assert (tmp_path / "probe.csv").read_text() == "step,phase,network,rank\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("other", "params.yaml: probe.tasks: `other` is not in `tasks`; there are: toy"),
        ("toy", "artifacts/tasks/toy/meta.json: not found; run `dvc repro prepare_task@toy` first"),
    ],
)
def test_a_task_that_is_not_there_is_told_before_the_training(name, says, tmp_path):
    (tmp_path / "artifacts/tasks/toy/meta.json").unlink()
    with pytest.raises(UserError, match=says):
        Probe(probing(tasks=(name,)), baseline_job(), Noise())


def test_several_labels_an_image(tmp_path):
    folder = tmp_path / "artifacts/tasks/toy"
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"metric": "map", "multilabel": True}))
    *_, rows = run(baseline_job(optimization=STILL), probing(every=10))
    assert rows[-1]["knn_toy"] == 100


def test_weights_stay_finite_or_it_is_told():
    network = run(baseline_job(), None)[0]
    with torch.no_grad():
        network.projector[0].weight.fill_(math.inf)
    with pytest.raises(UserError, match="projections hold NaN"):
        Probe(probing(), baseline_job(), Noise()).look(0, -1, network, [])
    assert not torch.isfinite(weights(network)).all()
