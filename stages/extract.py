"""Baseline features of the whole corpus → artifacts/features."""

import numpy as np
from tqdm import tqdm

from sdr.data.store import ImageStore
from sdr.errors import program
from sdr.nets.embed import Embedding, embed
from sdr.outputs import output_dir
from sdr.params import load
from sdr.ssl.store import load_network
from sdr.train.device import pick_device


@program
def main() -> None:
    params = load(embed=Embedding)["embed"]
    device = pick_device()
    data = ImageStore.open("artifacts/data")
    backbone = load_network("artifacts/baseline", device)[0].backbone
    with output_dir("artifacts/features") as out:
        shape = (len(data), backbone.num_features)
        features = np.lib.format.open_memmap(out / "features.npy", "w+", np.float32, shape)  # N×D
        for start in tqdm(range(0, len(data), params.batch_size), desc="extract", unit="batch", disable=None):
            rows = np.arange(start, min(start + params.batch_size, len(data)))
            features[rows] = embed(backbone, data.read(rows), params, device)
        features.flush()
    print(f"extract: {shape[0]} images, {shape[1]} features each")


if __name__ == "__main__":
    main()
