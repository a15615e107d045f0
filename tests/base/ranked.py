"""What several processes of one machine compute in tests/base/test_ranks.py: run as a program, in as many as params.yaml says.

The launcher itself loads nothing: torch costs a process seconds.
"""

import json
import os
import sys
from pathlib import Path

from sdr.base.errors import program
from sdr.base.ranks import (
    any_of,
    equal_rows,
    from_first,
    gather,
    in_processes,
    mean,
    own_rows,
    pick_device,
    rank,
    world,
)

METHODS = ("simsiam", "byol", "simclr")


@program
def main(what: str, folder: str) -> None:
    """`dies`: process 1 ends in the middle of a training. `all`: that training goes on, and all else is computed."""
    in_processes()
    device = pick_device(several=True)
    if what == "dies":
        training(device, "simsiam", "cut", dies=True)
    rest = training(device, "simsiam", "cut")
    agree()
    open_to_others, ports = listening()
    found = {method: training(device, method) for method in METHODS}
    found |= {
        "rest": rest,
        "frozen": frozen(device, Path(folder)),
        "contrast": contrast(),
        "open to others": open_to_others,
        "ports": ports,
    }
    print(json.dumps(found))


def training(device, method: str, name: str = "whole", dies: bool = False) -> dict:
    """10 steps of W_0 and sub-nets at a global batch of 8; what they were and what is left of the weights."""
    from sdr.base.checkpoint import Checkpoints
    from sdr.train.loop import train
    from tests.train import toys

    optimization = toys.LARS if method == "byol" else toys.SGD
    optimization = optimization.model_copy(update={"lr": 0.002 if method == "simclr" else 0.1})
    data = toys.Noise()
    if dies and rank() == 1:
        data.read = _until(6, data.read)
    job = toys.sdr_job(toys.common(method=method), optimization=optimization, epochs=2.0)
    checkpoints = Checkpoints(method, {"name": name}, seconds=0.0 if dies else 60.0)
    network, history, cost = train(job, data, checkpoints, device)
    state = {k: v.double().sum().item() for k, v in network.state_dict().items()}
    return {"history": history, "processes": cost["processes"], "state": state, "batches": 10**9 - data.fuse}


def _until(batches: int, read):
    """A reader that ends the process, as a fault of its memory would, where it is asked for one batch more."""

    def reading(indices):
        nonlocal batches
        batches -= 1
        if batches < 0:
            os._exit(9)
        return read(indices)

    return reading


def frozen(device, folder: Path) -> dict:
    """Features of a trained network, of all paths together and of one alone, of many images and of one."""
    import numpy as np

    from sdr.nets.embed import embed
    from sdr.route.trained import TrainedSdr
    from sdr.route.tree import Embedder
    from tests.route.toys import SHOW, pictures

    trained = TrainedSdr(folder / "sdrnet", folder / "calibration", device)
    images = pictures(7)
    embedder = Embedder(trained, images, SHOW, device, share=True)
    tree = {str(number): features.tolist() for number, features in embedder(range(4), np.arange(7))}
    alone, few = (embed(trained.subnet(3), x, SHOW, device).tolist() for x in (images, images[:1]))
    return {"tree": tree, "alone": alone, "few": few, "cost": embedder.cost}


def contrast() -> dict:
    """SimCLR's losses of six images, each process with its own of them, and DDP's gradient of a layer."""
    import torch

    from sdr.base.randomness import torch_rng
    from sdr.ssl.simclr import find, nt_xent

    mine = equal_rows(6, "images")
    x1, x2 = (torch.randn(6, 7, dtype=torch.float64, generator=torch_rng(3, i)) for i in (0, 1))
    linear = torch.nn.Linear(7, 4, bias=False).double()
    linear.weight.data = torch.arange(28, dtype=torch.float64).view(4, 7).sin() + 1
    layer = torch.nn.parallel.DistributedDataParallel(linear) if world() > 1 else linear
    teacher = torch.tanh(x1[mine] @ torch.ones(7, 4, dtype=torch.float64).cumsum(0))
    z1, z2 = layer(torch.cat([x1[mine], x2[mine]])).chunk(2)
    loss = nt_xent(z1, z2, 0.3) + find(z2, teacher, 0.3)
    loss.backward()
    return {"loss": mean(loss).item(), "gradient": linear.weight.grad.tolist()}


def listening() -> tuple[bool, int]:
    """Whether any process, the launcher too, listens where other machines reach it; at how many places these do."""
    from ipaddress import ip_address

    import psutil

    here = psutil.Process()
    connections = [each for process in (here, here.parent()) for each in process.net_connections("inet")]
    ports = [each for each in connections if each.status == "LISTEN"]
    return any_of(any(not ip_address(each.laddr.ip).is_loopback for each in ports)), len(ports)


def agree() -> None:
    import numpy as np
    import torch

    rows = np.arange(10, dtype=np.int64).reshape(5, 2)
    assert (gather(rows[own_rows(5)], 5) == rows).all()
    assert float(mean(torch.tensor(float(rank())))) == (world() - 1) / 2
    assert any_of(rank() == world() - 1) and not any_of(False)
    assert from_first({"rank": rank()}) == {"rank": 0}


if __name__ == "__main__":
    main(*sys.argv[1:])
