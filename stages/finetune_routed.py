"""Fine-tune a detector over the sub-net that routing chose for a detection set → artifacts/eval/detection/sdr/SET.json."""

import csv
import json
from pathlib import Path

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.base.ranks import pick_device
from sdr.detect.params import Detector
from sdr.detect.score import fine_tuned, in_words
from sdr.detect.sets import DetectionSpec


@program
def main() -> None:
    name = entry("detection")
    params = load(seed=int, **{f"detection__{name}": DetectionSpec})
    seed, spec = params.values()
    (detector,) = load(**{f"detectors__{spec.detector}": Detector}).values()
    route = Path(f"artifacts/route_detection/{name}")
    with (route / "candidates.csv").open(newline="") as file:
        candidates = list(csv.DictReader(file))
    routing = json.loads((route / "route.json").read_text()) | {"candidates": candidates}
    found, checkpoints = fine_tuned(route / "backbone", name, "sdr", detector, seed, pick_device())
    write_json(
        f"artifacts/eval/detection/sdr/{name}.json", found | {"routing": routing}
    )  # how it was chosen goes along
    checkpoints.remove()
    print(f"finetune_routed {name}: {in_words(found)}")


if __name__ == "__main__":
    main()
