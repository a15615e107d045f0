"""Baseline SimSiam on everything, at a sub-net's width → artifacts/baseline."""

import time

import numpy as np

from sdr.data.store import ImageStore
from sdr.data.views import Views
from sdr.errors import program
from sdr.nets.backbone import Backbone
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.heads import Heads
from sdr.outputs import output_dir, write_csv
from sdr.params import load
from sdr.route.calibrate import Calibration, calibrate, sample
from sdr.ssl.store import save_network
from sdr.train.checkpoint import Checkpoint, fingerprint
from sdr.train.device import pick_device
from sdr.train.jobs import Pretrain, baseline
from sdr.train.loop import train


@program
def main() -> None:
    params = load(
        seed=int, views=Views, backbone=Backbone, heads=Heads, pretrain=Pretrain, calibrate=Calibration, embed=Embedding
    )
    seed, spec, heads = params["seed"], params["backbone"], params["heads"]
    device, started = pick_device(), time.perf_counter()
    data = ImageStore.open("artifacts/data")
    job = baseline(params["pretrain"], spec, heads, params["views"], len(data), seed)
    checkpoint = Checkpoint(fingerprint(stage="pretrain", params=params, data=data.meta["fingerprint"]))
    network, history = train(job, data, checkpoint, device)
    images = data.read(sample(np.arange(len(data)), params["calibrate"], seed))
    calibrate(network.backbone, evaluation_view(images, params["embed"].size, device))
    with output_dir("artifacts/baseline") as out:
        seconds = round(time.perf_counter() - started, 1)
        save_network(out, network, job.spec, heads, steps=job.schedule.steps, seconds=seconds)
        write_csv(out / "history.csv", history)
    checkpoint.remove()
    print(f"pretrain: {job.schedule.steps} steps in {seconds} s, last loss {history[-1]['loss']:.3f}")


if __name__ == "__main__":
    main()
