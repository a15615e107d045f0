"""Baseline features of the whole corpus → artifacts/features."""

import numpy as np
from tqdm import tqdm

from sdr.base.errors import program
from sdr.base.names import no_entry
from sdr.base.outputs import output_dir
from sdr.base.params import load
from sdr.base.ranks import gather, in_processes, own_rows, pick_device, world
from sdr.corpus.store import ImageStore
from sdr.nets.embed import Embedding, features
from sdr.nets.folder import load_backbone


@program
def main() -> None:
    no_entry()
    in_processes()
    params = load(embed=Embedding)["embed"]
    device = pick_device(several=True)
    data = ImageStore.open("artifacts/data")
    backbone = load_backbone("artifacts/backbones/baseline", device)
    with output_dir("artifacts/features") as out:
        shape, step = (len(data), backbone.num_features), params.batch_size * world()
        kept = np.lib.format.open_memmap(out / "features.npy", "w+", np.float32, shape)  # N×D
        for start in tqdm(range(0, len(data), step), desc="extract", unit="batch", disable=None):
            rows = np.arange(start, min(start + step, len(data)))
            mine = features(backbone, data.read(rows[own_rows(len(rows))]), params, device)
            kept[rows] = gather(mine, len(rows))
        kept.flush()
    print(f"extract: {shape[0]} images, {shape[1]} features each")


if __name__ == "__main__":
    main()
