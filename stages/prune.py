"""The baseline, pruned to the size of a sub-net → artifacts/backbones/NAME."""

import numpy as np
import torch
from pydantic import PositiveInt

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import output_dir, write_json
from sdr.base.params import load
from sdr.base.ranks import pick_device
from sdr.compare.compare import check_own_name
from sdr.compare.prune import Pruned, prune
from sdr.corpus.store import ImageStore
from sdr.nets.backbone import Backbone
from sdr.nets.calibrate import calibrate, sample
from sdr.nets.embed import Embedding, evaluation_view
from sdr.nets.folder import save_resnet
from sdr.ssl.folder import count, load_network


@program
def main() -> None:
    name = entry("pruned")
    key = f"pruned__{name}"
    params = load(seed=int, backbone=Backbone, calibrate__images=PositiveInt, embed=Embedding, **{key: Pruned})
    check_own_name("pruned", name)
    device, spec = pick_device(), params["backbone"]
    network, baseline, _ = load_network("artifacts/baseline")
    pruned, widths = prune(name, params[key], network.backbone, baseline, spec)
    pruned = pruned.to(device, memory_format=torch.channels_last)
    data = ImageStore.open("artifacts/data")
    images = data.read(sample(np.arange(len(data)), params["calibrate__images"], params["seed"]))  # as the baseline's
    calibrate(pruned, evaluation_view(images, params["embed"].side, device))
    left = sum(int(p.count_nonzero()) for p in pruned.parameters())
    facts = {"how": params[key].how, "widths": widths, "of": count(network.backbone), "nonzero": left}
    with output_dir(f"artifacts/backbones/{name}") as out:
        save_resnet(out, pruned.cpu(), spec, widths, params["embed"].side)
        write_json(out / "pruned.json", facts)
    print(f"prune {name}: {facts['how']}, {left:,} of {facts['of']:,} parameters left, widths {list(widths)}")


if __name__ == "__main__":
    main()
