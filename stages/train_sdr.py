"""Progressive training of SDRnet (Algorithm 1) → artifacts/sdrnet, and what it cost → artifacts/timing.

One sub-net is the baseline itself.
"""

import shutil
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir, write_csv, write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device, rank
from sdr.corpus.store import ImageStore
from sdr.nets.heads import Heads
from sdr.nets.paths import check_n_subnets
from sdr.ssl.folder import load_network, save_network
from sdr.train.cost import cost_of
from sdr.train.jobs import COMMON, Common, sdr
from sdr.train.loop import train
from sdr.train.networks import load_baseline
from sdr.train.probe import Probe, Probing, write_rows
from sdr.train.schedule import W0
from sdr.train.settings import Sdr


@program
def main() -> None:
    no_entry()
    in_processes()
    params = load(
        **COMMON,
        n_subnets=int,
        sdr=Sdr,
        probe=Probing,
    )
    common, n_subnets, spec = Common.of(params), params["n_subnets"], params["backbone"]
    check_n_subnets(n_subnets, spec.n_paths)
    device = pick_device(several=True)
    computing = cost_of(common.method, spec, common.heads, params["sdr"], common.views.side)
    counted = {"macs": asdict(computing), "groups": spec.groups}  # of one image; so that no reader of them need count
    if n_subnets == 1:
        return reuse_baseline(common.heads, counted)
    data = ImageStore.open("artifacts/data")
    assignment = np.load("artifacts/clusters/assignment.npy")
    job = sdr(params["sdr"], common, assignment, n_subnets)
    baseline = load_baseline("artifacts/baseline", job, device)
    facts = {"params": params, "data": data.meta["fingerprint"], "clusters": sha256(assignment).hexdigest()}
    if baseline is not None:
        facts["baseline"] = sha256(Path("artifacts/baseline/model.safetensors").read_bytes()).hexdigest()
    checkpoints = Checkpoints("train_sdr", facts | {"device": device.type})
    probe = Probe(params["probe"], job, data)
    network, history, cost = train(job, data, checkpoints, device, baseline, probe=probe)
    with output_dir("artifacts/sdrnet") as out:
        facts = {"n_subnets": n_subnets, "steps": job.schedule.steps, "phases": job.schedule.starts}
        w0_steps = sum(job.schedule.network(step) == W0 for step in range(job.schedule.steps))
        facts["w0_images"] = w0_steps * job.optimization.batch_size
        facts["w0_trained"] = params["sdr"].trains_w0
        save_network(out, network, spec, common.heads, **facts, **counted)
        write_csv(out / "history.csv", history)
        write_rows(out / "probe.csv", probe.rows)
    write_json("artifacts/timing/sdrnet.json", cost)
    if rank() == 0:
        checkpoints.remove()
    small = sum(len(part) < job.optimization.batch_size for part in job.subsets)
    print(
        f"train_sdr: {job.schedule.steps:,} steps at a peak learning rate of {job.optimization.peak:.4g}; {small} "
        "clusters smaller than a batch are drawn from with replacement; "
        f"{cost['images_per_s']:,.0f} images/s, {cost['wait_share']:.1%} waiting, {cost['probe_share']:.1%} probing"
    )


def reuse_baseline(heads: Heads, counted: dict) -> None:
    network, spec, config = load_network("artifacts/baseline")
    with output_dir("artifacts/sdrnet") as out:
        facts = {"n_subnets": 1, "steps": config["steps"], "phases": [0], "w0_images": 0, "w0_trained": True}
        save_network(out, network, spec, heads, **facts, **counted)
        for name in ("history.csv", "probe.csv"):
            shutil.copy(f"artifacts/baseline/{name}", out)
    nothing = dict.fromkeys(("seconds", "images_per_s", "wait_share", "probe_share", "peak_mib"), 0.0) | {"images": 0}
    write_json("artifacts/timing/sdrnet.json", nothing | {"device": "none", "processes": 1})
    print("train_sdr: one sub-net is the baseline itself")


if __name__ == "__main__":
    main()
