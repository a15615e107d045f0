"""Fine-tune a detector over one network, on one detection set → artifacts/eval/detection/NETWORK/SET.json."""

from sdr.base.errors import program
from sdr.base.names import entries
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.base.ranks import pick_device
from sdr.detect.params import Detector
from sdr.detect.score import fine_tuned, in_words
from sdr.detect.sets import DetectionSpec


@program
def main() -> None:
    name, network = entries("detection", "detection_networks")
    params = load(seed=int, **{f"detection__{name}": DetectionSpec})
    seed, spec = params.values()
    (detector,) = load(**{f"detectors__{spec.detector}": Detector}).values()
    folder = f"artifacts/backbones/{network}"
    found, checkpoints = fine_tuned(folder, name, network, detector, seed, pick_device())
    write_json(f"artifacts/eval/detection/{network}/{name}.json", found)
    checkpoints.remove()
    print(f"finetune {name}: {network} {in_words(found)}")


if __name__ == "__main__":
    main()
