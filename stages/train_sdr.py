"""Progressive training of SDRnet (Algorithm 1) → artifacts/sdrnet. One sub-net is the baseline itself."""

import shutil
import time

import numpy as np

from sdr.data.store import ImageStore
from sdr.data.views import Views
from sdr.errors import program
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.nets.paths import check_n_subnets
from sdr.outputs import output_dir, write_csv
from sdr.params import load
from sdr.ssl.store import load_network, save_network
from sdr.train.checkpoint import Checkpoint, fingerprint
from sdr.train.device import pick_device
from sdr.train.jobs import Sdr, sdr
from sdr.train.loop import train


@program
def main() -> None:
    params = load(n_subnets=int, seed=int, views=Views, backbone=Backbone, heads=Heads, sdr=Sdr)
    n_subnets, spec, heads = params["n_subnets"], params["backbone"], params["heads"]
    check_n_subnets(n_subnets, spec.n_paths)
    if n_subnets == 1:
        return reuse_baseline(heads)
    started = time.perf_counter()
    data = ImageStore.open("artifacts/data")
    assignment = np.load("artifacts/clusters/assignment.npy")
    job = sdr(params["sdr"], spec, heads, params["views"], assignment, n_subnets, params["seed"])
    name = fingerprint(stage="sdr", params=params, data=data.meta["fingerprint"], clusters=assignment.tolist())
    checkpoint = Checkpoint(name)
    network, history = train(job, data, checkpoint, pick_device())
    with output_dir("artifacts/sdrnet") as out:
        seconds = round(time.perf_counter() - started, 1)
        facts = {"n_subnets": n_subnets, "steps": job.schedule.steps, "seconds": seconds}
        save_network(out, network, spec, heads, **facts, phases=job.schedule.starts)
        write_csv(out / "history.csv", history)
    checkpoint.remove()
    small = sum(len(part) < job.optimization.batch_size for part in job.subsets)
    print(f"train_sdr: {job.schedule.steps} steps in {seconds} s; {small} clusters smaller than a batch")


def reuse_baseline(heads: Heads) -> None:
    network, spec, config = load_network("artifacts/baseline")
    with output_dir("artifacts/sdrnet") as out:
        facts = {"n_subnets": 1, "steps": config["steps"], "seconds": config["seconds"]}
        save_network(out, network, spec, heads, **facts, phases=[0])
        shutil.copy("artifacts/baseline/history.csv", out)
    print("train_sdr: one sub-net is the baseline itself")


if __name__ == "__main__":
    main()
