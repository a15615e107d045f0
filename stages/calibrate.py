"""Batch-norm statistics of W_0 and of every sub-net, and the seal of all → artifacts/calibration.

W_0's backbone with them → artifacts/backbones/w0.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file
from tqdm import tqdm

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir, write_json
from sdr.base.params import load
from sdr.base.ranks import gather, in_processes, own_rows, pick_device, rank
from sdr.corpus.store import ImageStore
from sdr.nets.calibrate import Calibration, calibrate, sample, statistics
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.folder import load_backbone, save_resnet
from sdr.nets.macs import part_macs
from sdr.route.bundle import seal
from sdr.route.trained import TrainedSdr
from sdr.train.schedule import Subsets, subsets


@program
def main() -> None:
    no_entry()
    in_processes()
    params = load(seed=int, calibrate=Calibration, embed=Embedding, sdr__subsets=Subsets, cluster__centre=bool)
    seed, wanted, device = params["seed"], params["calibrate"], pick_device(several=True)
    data = ImageStore.open("artifacts/data")
    trained = TrainedSdr("artifacts/sdrnet", None, device)
    everything = np.arange(len(data))
    assignment = np.load("artifacts/clusters/assignment.npy")
    clusters = subsets(assignment, trained.n_subnets, params["sdr__subsets"], seed)
    images_of = clusters if wanted.source == "cluster" else [everything] * trained.n_subnets
    baseline = load_backbone("artifacts/backbones/baseline", device)

    def measure(backbone: torch.nn.Module, subset: np.ndarray) -> torch.Tensor:
        images = data.read(sample(subset, wanted.images, seed))
        calibrate(backbone, evaluation_view(images, params["embed"].side, device))
        return statistics(backbone).cpu().clone()

    tensors = {"baseline": statistics(baseline).cpu().clone()}  # before it is measured on clusters
    mine = range(trained.n_subnets)[own_rows(trained.n_subnets)]

    def each(what: str, backbone: Callable[[int], torch.nn.Module], images_of: list[np.ndarray]) -> torch.Tensor:
        """Statistics of all sub-nets or clusters, k×V."""
        found = [measure(backbone(i), images_of[i]) for i in tqdm(mine, what, unit="sub-net", disable=None)]
        own = torch.stack(found) if found else statistics(backbone(0)).cpu()[None][:0]
        return torch.from_numpy(gather(own.numpy(), trained.n_subnets))

    rows = tensors["subnets"] = each("calibrate", trained.subnet, images_of)
    common = wanted.source == "common"
    tensors["subnets_all"] = rows.clone() if common else each("of all images", trained.subnet, [everything] * len(rows))
    tensors["baseline_clusters"] = each("the baseline", lambda _: baseline, clusters)
    supernet = trained.supernet()
    tensors["w0"] = measure(supernet, everything)
    if rank() > 0:
        return
    parts = part_macs(trained.spec, params["embed"].side)  # of one image shown to a sub-net
    with output_dir("artifacts/backbones/w0") as out:
        save_resnet(out, supernet, trained.spec, trained.spec.supernet_widths, params["embed"].side)
    with output_dir("artifacts/calibration") as out:
        save_file(tensors, out / "bn.safetensors")
        write_json(
            out / "meta.json", {**wanted.model_dump(), "subnets": len(rows), "values": rows[0].numel(), "macs": parts}
        )
        features = np.load("artifacts/features/features.npy", mmap_mode="r")  # N×D
        places = {
            "mean": features.mean(axis=0, dtype=np.float64).astype(np.float32) * params["cluster__centre"],
            "centroids": np.load("artifacts/clusters/centroids.npy"),
            "sizes": np.bincount(assignment, minlength=trained.n_subnets),
        }
        save_arrays(places, out / "places.safetensors")
        corpus = {key: data.meta[key] for key in ("source", "n", "fingerprint")}
        seal(
            Path("artifacts"),
            out,
            size=params["embed"].side,
            corpus=corpus,
            subsets=params["sdr__subsets"],
            parameters={"seed": seed, "n_subnets": trained.n_subnets, "calibrate": wanted.model_dump()},
        )
    print(f"calibrate: W_0 and {len(rows)} sub-nets, {rows[0].numel()} statistics each")


if __name__ == "__main__":
    main()
