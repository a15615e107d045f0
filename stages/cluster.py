"""Sinkhorn clustering of the corpus into n_subnets subsets → artifacts/clusters."""

import numpy as np

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir, write_csv, write_json
from sdr.base.params import load
from sdr.base.randomness import draw_batch
from sdr.base.ranks import pick_device
from sdr.cluster.mapping import path_order, relabel
from sdr.cluster.prototypes import Cluster, fit
from sdr.cluster.quality import describe, save_row
from sdr.corpus.store import ImageStore
from sdr.nets.paths import N_STAGES, check_n_subnets

SAMPLES = 8  # pictures a cluster


@program
def main() -> None:
    no_entry()
    params = load(n_subnets=int, seed=int, cluster=Cluster, backbone__groups=int)
    k, seed = params["n_subnets"], params["seed"]
    check_n_subnets(k, params["backbone__groups"] ** N_STAGES)  # rather here than after an hour of training
    data = ImageStore.open("artifacts/data")
    features = np.load("artifacts/features/features.npy", mmap_mode="r")  # N×D
    found = fit(features, k, params["cluster"], seed, pick_device())
    order = path_order(found.centroids, params["backbone__groups"], params["cluster"].mapping, seed)
    assignment, centroids = relabel(found.assignment, found.centroids, order)
    rows, quality = describe(assignment, data.domains, k)
    losses = [epoch["loss"] for epoch in found.history]
    fit_facts = {"empty": found.empty, "moved": found.moved, "marginal_error": found.marginal_error}
    with output_dir("artifacts/clusters") as out:
        np.save(out / "assignment.npy", assignment)
        np.save(out / "centroids.npy", centroids)
        write_csv(out / "clusters.csv", rows)
        write_json(out / "metrics.json", quality | fit_facts | {"loss_curve": losses})
        (out / "samples").mkdir()
        for i in range(k):
            members = np.flatnonzero(assignment == i)
            chosen = draw_batch(members, min(SAMPLES, len(members)), seed, "samples", i)
            save_row(data.read(chosen), out / "samples" / f"cluster_{i:03d}.png")
    print(
        f"cluster: {k} clusters of {quality['min_size']} to {quality['max_size']} images, "
        f"purity {quality['purity']:.2f}, {found.empty} were empty"
    )


if __name__ == "__main__":
    main()
