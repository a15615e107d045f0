"""Choose the sub-net for one detection set, and export it → artifacts/route_detection/NAME."""

from sdr.base.checkpoint import fingerprint
from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import digest, output_dir, write_csv, write_json
from sdr.base.params import load
from sdr.base.progress import Progress
from sdr.base.ranks import pick_device
from sdr.detect.params import Detector
from sdr.detect.routing import search
from sdr.detect.sets import DetectionSet, DetectionSpec
from sdr.evaluate.knn import Knn
from sdr.nets.embed import Embedding
from sdr.nets.folder import save_resnet
from sdr.nets.paths import path_of
from sdr.route.trained import TrainedSdr


@program
def main() -> None:
    name = entry("detection")
    params = load(**{"seed": int, "knn": Knn, "embed": Embedding, f"detection__{name}": DetectionSpec})
    params |= load(**{f"detectors__{params[f'detection__{name}'].detector}": Detector})
    *_, detector = params.values()
    seed, knn, device = params["seed"], params["knn"], pick_device()
    data = DetectionSet.open(f"artifacts/detection/{name}")
    trained = TrainedSdr("artifacts/sdrnet", "artifacts/calibration", device)
    contents = digest(f"artifacts/detection/{name}", "artifacts/sdrnet", "artifacts/calibration")
    progress = Progress(fingerprint(stage="route_detection", params=params, contents=contents, device=str(device)))
    found = search(trained.subnet, trained.n_subnets, data, detector, knn, seed, device, progress)
    paths = ["-".join(map(str, path_of(i, trained.spec.groups))) for i in range(trained.n_subnets)]
    choice = {"set": name, "subnet": found.winner, "path": paths[found.winner], **found.facts()}
    with output_dir(f"artifacts/route_detection/{name}") as out:
        write_csv(out / "candidates.csv", found.rows(paths))
        settings = {"routing": detector.routing.model_dump(), "knn": knn.model_dump()}
        write_json(out / "route.json", choice | settings)
        (out / "backbone").mkdir()
        winner, size = trained.subnet(found.winner), params["embed"].side
        save_resnet(out / "backbone", winner, trained.spec, trained.widths, size)
    progress.remove()
    score = "the only candidate" if choice["ap"] is None else f"AP {choice['ap']:.2f} % on val"
    if choice["failed"]:
        score = "the best by its proxy score alone"
        print(f"warning: route_detection {name}: {choice['failed']}")
    spent = f"{choice['iterations']} iterations, all sub-nets to the end {choice['exhaustive_iterations']}"
    print(f"route_detection {name}: sub-net {found.winner} ({choice['path']}), {score}; {spent}")


if __name__ == "__main__":
    main()
