"""The baseline, on everything and at a sub-net's width by default → artifacts/baseline.

Its backbone alone → artifacts/backbones/baseline; how long it took → artifacts/timing.
"""

import hashlib
from dataclasses import asdict

import numpy as np
from pydantic import PositiveInt

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir, sha256, write_csv, write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device, rank
from sdr.corpus.parts import Part, part_rows
from sdr.corpus.store import ImageStore
from sdr.nets.calibrate import calibrate, sample
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.folder import save_resnet
from sdr.nets.start import RANDOM, WHERE
from sdr.ssl.folder import save_network
from sdr.ssl.start import load_start
from sdr.train.cost import network_of, training_macs
from sdr.train.jobs import COMMON, Common, baseline
from sdr.train.loop import train
from sdr.train.probe import Probe, Probing, write_rows
from sdr.train.settings import Pretrain


@program
def main() -> None:
    no_entry()
    in_processes()
    params = load(
        **COMMON,
        pretrain=Pretrain,
        calibrate__images=PositiveInt,
        embed=Embedding,
        split=str,
        probe=Probing,
    )
    common = Common.of(params)
    device = pick_device(several=True)
    corpus = ImageStore.open("artifacts/data")
    rows = part_rows(corpus.domains, params["split"], params["pretrain"].part)
    data = Part(corpus, rows)
    init, start = params["pretrain"].init, None
    if init != RANDOM:
        start = load_start(WHERE, common.method, common.backbone.single(), common.heads, common.seed, device)
    job = baseline(params["pretrain"], common, len(data), len(corpus), start)
    which = {"data": corpus.meta["fingerprint"], "images": hashlib.sha256(rows.tobytes()).hexdigest()}
    if start:
        which["start"] = sha256(WHERE / "model.safetensors")
    facts = {"params": asdict(common) | {"pretrain": params["pretrain"], "probe": params["probe"]}} | which
    checkpoints = Checkpoints("pretrain", facts | {"device": device.type})
    probe = Probe(params["probe"], job, data)
    network, history, cost = train(job, data, checkpoints, device, start and start.network, probe=probe)
    images = data.read(sample(np.arange(len(data)), params["calibrate__images"], common.seed))
    calibrate(network.backbone, evaluation_view(images, params["embed"].side, device))
    with output_dir("artifacts/baseline") as out:
        shape = network_of(common.method, job.spec, job.spec.supernet_widths, common.heads)
        facts = {"steps": job.schedule.steps, "macs": training_macs(shape, common.views.side)}
        facts |= {"init": init, "head_steps": job.head_steps} if start else {}
        save_network(out, network, job.spec, common.heads, **facts)
        write_csv(out / "history.csv", history)
        write_rows(out / "probe.csv", probe.rows)
    with output_dir("artifacts/backbones/baseline") as out:
        save_resnet(out, network.backbone, job.spec, job.spec.supernet_widths, params["embed"].side)
    write_json("artifacts/timing/baseline.json", cost)
    if rank() == 0:
        checkpoints.remove()
    print(
        f"pretrain: {job.method}, {job.schedule.steps:,} steps at a peak learning rate of {job.optimization.peak:.4g}, "
        f"last loss {history[-1]['loss']:.3f}; {cost['images_per_s']:,.0f} images/s, {cost['wait_share']:.1%} waiting, "
        f"{cost['probe_share']:.1%} probing"
    )


if __name__ == "__main__":
    main()
