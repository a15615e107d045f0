"""W_0's and the routed sub-nets' test scores on all tasks and what SDR's training took → artifacts/scores/sdr.json."""

from sdr.base.errors import program
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.report.files import read_json
from sdr.report.scores import read_scores, spread, training
from sdr.ssl.method import Method
from sdr.train.cost import Computing, cost_of
from sdr.train.settings import Sdr


@program
def main() -> None:
    params = load(n_subnets=int, method=Method, backbone=Backbone, heads=Heads, sdr=Sdr, tasks=dict, views__side=int)
    tasks, view = params.pop("tasks"), params.pop("views__side")
    cost = cost_of(Computing.of(**params, view=view, shown=view))
    timing = read_json("artifacts/timing/sdrnet.json", ["images", "seconds"])
    w0_images = read_json("artifacts/sdrnet/config.json", ["w0_images"])["w0_images"]
    macs = w0_images * cost.w0 + (timing["images"] - w0_images) * cost.subnet
    found = read_scores("artifacts/eval/sdr", tasks)
    found |= {"training": training(timing, macs), "spread": spread("artifacts/route", tasks)}
    write_json("artifacts/scores/sdr.json", found)
    print(f"scores_sdr: {found['sdr']['linear']['mean']:.2f} % (kNN {found['sdr']['knn']['mean']:.2f} %)")


if __name__ == "__main__":
    main()
