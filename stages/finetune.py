"""Fine-tune a detector over one backbone, on one detection set → artifacts/eval/detection/WHICH/NAME.json."""

import csv
import json
import sys
from pathlib import Path

import torch

from sdr.base.checkpoint import Checkpoints
from sdr.base.errors import UserError, program
from sdr.base.outputs import digest, write_json
from sdr.base.params import load
from sdr.base.ranks import pick_device
from sdr.compare.backbones import load_resnet
from sdr.detect.params import Detector
from sdr.detect.score import score
from sdr.detect.sets import DetectionSet, DetectionSpec
from sdr.ssl.folder import load_network


@program
def main(*arguments: str) -> None:
    if len(arguments) != 2:
        raise UserError(
            "usage: python -m stages.finetune NAME WHICH: one of `detection` in params.yaml, "
            "and baseline, sdr or one of `compare`"
        )
    name, which = arguments
    params = load(seed=int, **{f"detection__{name}": DetectionSpec})
    seed, spec = params.values()
    (detector,) = load(**{f"detectors__{spec.detector}": Detector}).values()
    data, device = DetectionSet.open(f"artifacts/detection/{name}"), pick_device()
    if which == "baseline":
        source = "artifacts/baseline"
        backbone = load_network(source, torch.device("cpu"))[0].backbone
    else:
        source = f"artifacts/route_detection/{name}/backbone" if which == "sdr" else f"artifacts/backbones/{which}"
        backbone = load_resnet(source)
    about = {}
    if which == "sdr":  # how it was chosen goes with what came of it
        route = Path(f"artifacts/route_detection/{name}")
        with (route / "candidates.csv").open(newline="") as file:
            candidates = list(csv.DictReader(file))
        about = {"routing": json.loads((route / "route.json").read_text()) | {"candidates": candidates}}
    facts = {"seed": seed, "detector": detector, "data": digest(f"artifacts/detection/{name}")}
    checkpoints = Checkpoints(f"finetune-{name}-{which}", facts | {"backbone": digest(source)})
    result = score(backbone, data, detector, seed, device, which, checkpoints)
    write_json(f"artifacts/eval/detection/{which}/{name}.json", {"set": name, "network": which} | result | about)
    checkpoints.remove()
    if result["ap"] is None:
        return print(f"warning: finetune {name}: {which} has no score, the detector {result['failed']}")
    print(f"finetune {name}: {which} AP {result['ap']:.2f} %, AP50 {result['ap50']:.2f} %, AP75 {result['ap75']:.2f} %")


if __name__ == "__main__":
    main(*sys.argv[1:])
