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
from tests.base import ranked
from tests.route.toys import make_trained
from tests.train import toys

ROOT = Path(__file__).parents[2]


def start(folder: Path, what: str) -> subprocess.CompletedProcess:
    """Two processes of the program."""
    (folder / "params.yaml").write_text("processes: 2\n")
    env = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "DVC_STAGE")}
    env |= {"PYTHONPATH": str(ROOT), "SDR_SCRATCH": str(folder / "scratch"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", ranked.__name__, what, str(folder / "net")]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=1800)


@pytest.fixture(scope="module")
def died(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """Two processes of which one died, and the folder that they left."""
    folder = tmp_path_factory.mktemp("ranks")
    return folder, start(folder, "dies")


@pytest.fixture(scope="module")
def found(died, tmp_path_factory) -> tuple[dict, dict]:
    """What one process (this) and two found; the two began where the two before had been left."""
    folder, _ = died
    checkpoints = [*(folder / "scratch/training").glob("simsiam-*/step-*.ckpt")]
    assert checkpoints  # else nothing goes on
    make_trained(folder / "net", 4, "common")
    done = start(folder, "all")
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDR_SCRATCH", str(tmp_path_factory.mktemp("alone")))
        one = {method: ranked.training(toys.CPU, method) for method in ranked.METHODS}
        one |= {"frozen": ranked.frozen(toys.CPU, folder / "net"), "contrast": ranked.contrast()}
    return one, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("method", ["simsiam", "byol", "simclr"])
def test_the_loss_curve_does_not_depend_on_the_number_of_processes(found, method):
    """10 steps of W_0 and sub-nets at the same global batch; rounding grows along the way, so: 2e-3 of losses near 1
    (SimSiam), 2 (SimCLR) or 4 (BYOL), where another batch or other views would move them by 0.1."""
    one, several = (run[method] for run in found)
    assert (one["processes"], several["processes"]) == (1, 2)
    networks = [row["network"] for row in one["history"]]
    assert networks == [row["network"] for row in several["history"]] and len({*networks}) > 2
    for name in ("loss", "ssl", "distill"):
        a, b = (np.array([row[name] for row in run["history"]]) for run in (one, several))
        np.testing.assert_allclose(a, b, atol=2e-3, rtol=1e-3)
    assert one["state"].keys() == several["state"].keys()


def test_features_do_not_depend_on_the_number_of_processes(found):
    """Shared out, one image to most and none to some; the multiply-adds add up to the same."""
    one, several = (run["frozen"] for run in found)
    assert one["cost"] == several["cost"] and one["cost"]["forwards"] == 28
    for name in ("alone", "few"):
        np.testing.assert_allclose(one[name], several[name], rtol=1e-4, atol=1e-5)
    assert len(one["tree"]) == 4
    for number, features in one["tree"].items():
        np.testing.assert_allclose(features, several["tree"][number], rtol=1e-4, atol=1e-5)


def test_contrasts_are_those_of_one_process_with_all_images(found):
    """The mean over the processes of SimCLR's losses, and DDP's mean of the gradients, with three images each."""
    one, several = (run["contrast"] for run in found)
    assert one["loss"] == pytest.approx(several["loss"])
    np.testing.assert_allclose(one["gradient"], several["gradient"], rtol=1e-7, atol=1e-9)


def test_a_process_that_dies_ends_all_and_leaves_a_checkpoint(died, found):
    _, done = died
    assert done.returncode == 1
    assert (
        "error: process 1 of 2 ended with status 9" in done.stderr and "goes on from its last checkpoint" in done.stderr
    )
    rest, whole = found[1]["rest"], found[1]["simsiam"]
    assert rest["batches"] < 10  # it went on
    assert rest["history"] == whole["history"] and rest["state"] == whole["state"]


def test_nobody_listens_where_other_machines_reach_it(found):
    assert found[1]["ports"] > 0  # they talk over the loopback interface
    assert not found[1]["open to others"]


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
