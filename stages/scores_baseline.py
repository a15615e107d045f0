"""The baseline's test scores on all tasks and what its training took → artifacts/scores/baseline.json."""

from sdr.base.errors import program
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.report.files import read_json
from sdr.report.scores import read_scores, training
from sdr.train.cost import baseline_macs


@program
def main() -> None:
    params = load(tasks=dict, views__side=int)
    macs = baseline_macs(read_json("artifacts/baseline/config.json"), params["views__side"])
    timing = read_json("artifacts/timing/baseline.json", ["images", "seconds"])
    found = read_scores("artifacts/eval/baseline", params["tasks"])
    write_json("artifacts/scores/baseline.json", found | {"training": training(timing, timing["images"] * macs)})
    print(
        f"scores_baseline: {found['baseline']['linear']['mean']:.2f} % (kNN {found['baseline']['knn']['mean']:.2f} %)"
    )


if __name__ == "__main__":
    main()
