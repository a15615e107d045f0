"""Several processes of one machine (gloo, on the CPU) against one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sdr.base.errors import UserError
from sdr.base.ranks import equal_rows, gather, own_rows
from tests.route.toys import make_trained

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, sys
from ipaddress import ip_address
from pathlib import Path
import numpy as np
import psutil
import torch
from sdr.base.errors import program
from sdr.nets.embed import embed
from sdr.base.ranks import any_of, from_first, gather, mean, own_rows, rank, world
from sdr.route.trained import TrainedSdr
from sdr.route.tree import Embedder
from sdr.base.checkpoint import Checkpoints
from sdr.base.ranks import pick_device
from sdr.base.ranks import in_processes
from sdr.train.loop import train
from tests.route.toys import SHOW, pictures
from tests.train import toys

@program
def main(what, folder):
    in_processes()
    device = pick_device(several=True)
    found = {"simsiam": training(device, "simsiam", what == "dies")}
    if what == "all":
        agree()
        found["open to others"], found["ports"] = listening()
        found |= {"byol": training(device, "byol"), "simclr": training(device, "simclr"), "frozen": frozen(device, Path(folder)), "world": world()}
    print(json.dumps(found))

def training(device, method, dies=False):
    optimization = toys.LARS if method == "byol" else toys.SGD.model_copy(update={"lr": 0.002 if method == "simclr" else 0.1})
    data = toys.Noise()
    if dies and rank() == 1:
        data.read = lambda indices, read=data.read, left=iter(range(6)): (next(left, None) is None and os._exit(9)) or read(indices)
    checkpoints = Checkpoints(method, {}, seconds=0.0 if dies else 60.0)
    job = toys.sdr_job(toys.common(method=method), optimization=optimization)
    network, history, cost = train(job, data, checkpoints, device)
    state = {k: v.double().sum().item() for k, v in network.state_dict().items()}
    return {"history": history, "processes": cost["processes"], "state": state, "batches": 10**9 - data.fuse}

def frozen(device, folder):
    trained = TrainedSdr(folder / "sdrnet", folder / "calibration", device)
    images = pictures(7)
    embedder = Embedder(trained, images, SHOW, device, share=True)
    tree = {number: features.tolist() for number, features in embedder(range(4), np.arange(7))}
    alone, few = (embed(trained.subnet(3), x, SHOW, device).tolist() for x in (images, images[:1]))
    return {"tree": tree, "alone": alone, "few": few, "cost": embedder.cost}

def listening():
    # whether any process, the launcher too, listens where other machines reach it; at how many places these do
    here = psutil.Process()
    ports = [each for process in (here, here.parent()) for each in process.net_connections("inet") if each.status == "LISTEN"]
    return any_of(any(not ip_address(each.laddr.ip).is_loopback for each in ports)), len(ports)

def agree():
    rows = np.arange(10, dtype=np.int64).reshape(5, 2)
    assert (gather(rows[own_rows(5)], 5) == rows).all()
    assert float(mean(torch.tensor(float(rank())))) == (world() - 1) / 2
    assert any_of(rank() == world() - 1) and not any_of(False)
    assert from_first({"rank": rank()}) == {"rank": 0}

main(*sys.argv[1:])
"""


def start(folder: Path, processes: int, what: str, scratch: str) -> subprocess.CompletedProcess:
    (folder / "ranked.py").write_text(PROGRAM)
    (folder / "params.yaml").write_text(f"processes: {processes}\n")
    env = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "DVC_STAGE")}
    env |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "SDR_SCRATCH": str(folder / scratch), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ranked", what, str(folder / "net")]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=400)


def answer(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[int, dict]:
    """What one process and two found."""
    folder = tmp_path_factory.mktemp("ranks")
    make_trained(folder / "net", 4, "common")
    return {n: answer(start(folder, n, "all", str(n))) for n in (1, 2)}


@pytest.mark.parametrize("method", ["simsiam", "byol", "simclr"])
def test_the_loss_curve_does_not_depend_on_the_number_of_processes(found, method):
    """20 steps of W_0 and sub-nets at the same global batch; rounding grows along the way, so: 2e-3 of losses near 1
    (SimSiam), 2 (SimCLR) or 4 (BYOL), where another batch or other views would move them by 0.1."""
    one, several = found[1][method], found[2][method]
    assert (one["processes"], several["processes"]) == (1, 2)
    assert [row["network"] for row in one["history"]] == [row["network"] for row in several["history"]]
    for name in ("loss", "ssl", "distill"):
        a, b = (np.array([row[name] for row in run["history"]]) for run in (one, several))
        np.testing.assert_allclose(a, b, atol=2e-3, rtol=1e-3)
    assert one["state"].keys() == several["state"].keys()


def test_features_do_not_depend_on_the_number_of_processes(found):
    """Shared out, one image to most and none to some; the multiply-adds add up to the same."""
    one, several = found[1]["frozen"], found[2]["frozen"]
    assert one["cost"] == several["cost"] and one["cost"]["forwards"] == 28
    for name in ("alone", "few"):
        np.testing.assert_allclose(one[name], several[name], rtol=1e-4, atol=1e-5)
    assert len(one["tree"]) == 4
    for number, features in one["tree"].items():
        np.testing.assert_allclose(features, several["tree"][number], rtol=1e-4, atol=1e-5)


def test_a_process_that_dies_ends_all_and_leaves_a_checkpoint(found, tmp_path):
    done = start(tmp_path, 2, "dies", "scratch")
    assert done.returncode == 1
    assert (
        "error: process 1 of 2 ended with status 9" in done.stderr and "goes on from its last checkpoint" in done.stderr
    )
    assert [*(tmp_path / "scratch/training").glob("simsiam-*/step-*.ckpt")]
    rest, whole = answer(start(tmp_path, 2, "goes on", "scratch"))["simsiam"], found[2]["simsiam"]
    assert rest["batches"] < 20  # it went on
    assert rest["history"] == whole["history"] and rest["state"] == whole["state"]


def test_nobody_listens_where_other_machines_reach_it(found):
    assert found[2]["ports"] > 0  # they talk over the loopback interface
    assert not found[2]["open to others"]


def test_a_stage_for_one_process_refuses_several(monkeypatch):
    from sdr.base.ranks import pick_device

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="runs in one"):
        pick_device()


def test_parts_are_of_equal_size_where_they_must_be(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    ends = []
    for rank in range(4):
        monkeypatch.setenv("RANK", str(rank))
        ends.append(own_rows(10))
        assert equal_rows(8, "batch_size") == slice(2 * rank, 2 * rank + 2)
    assert np.array_equal(np.concatenate([np.arange(10)[p] for p in ends]), np.arange(10))
    with pytest.raises(UserError, match="batch_size 10 cannot be shared equally by 4 processes"):
        equal_rows(10, "batch_size")


def test_alone_everything_is_ones_own():
    rows = np.random.default_rng(0).random((3, 2))
    assert gather(rows, 3) is rows and own_rows(3) == slice(0, 3)


def test_synchronised_norm_is_batch_norm_where_there_is_one_process(monkeypatch):
    """With the sums of one process the synchronised norm is torch's, gradients too."""
    from sdr.train import norms

    monkeypatch.setattr("torch.distributed.all_reduce", lambda x: None)
    plain = torch.nn.Sequential(
        torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.BatchNorm1d(12, affine=False)
    ).double()
    torch.nn.init.uniform_(plain[0].weight)
    torch.nn.init.uniform_(plain[0].bias)
    x = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    weight = torch.randn(5, 12, dtype=torch.float64)
    found = []
    for network in (plain, norms.synchronised(plain, torch.device("cpu"))):
        network.zero_grad()
        leaf = x.clone().requires_grad_()
        (network(leaf) * weight).sum().backward()
        found.append((leaf.grad, *(p.grad.clone() for p in network.parameters())))
    torch.testing.assert_close(found[0], found[1])
