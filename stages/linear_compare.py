"""Linear and kNN evaluation of a network of `compare` or `pruned` on one task's test split → artifacts/eval/compare/NAME."""

import sys

from sdr.base.errors import UserError, program
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device
from sdr.compare.backbones import load_backbone
from sdr.evaluate.evaluate_task import Protocol, evaluate_task
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.tasks.task import Task


@program
def main() -> None:
    in_processes()
    if len(sys.argv) != 3:
        raise UserError(
            "usage: python -m stages.linear_compare TASK NAME, of `tasks` and of `compare` or `pruned` in params.yaml"
        )
    name, network = sys.argv[1:]
    protocol = Protocol(**load(seed=int, knn=Knn, linear=Linear, embed=Embedding))
    device = pick_device(several=True)
    task = Task.open(f"artifacts/tasks/{name}")
    result = evaluate_task(network, load_backbone(f"artifacts/backbones/{network}", device), task, protocol, device)
    networks = {network: result}
    path = f"artifacts/eval/compare/{network}/{name}.json"
    write_json(path, {"task": name, "metric": task.metric, "networks": networks})
    print(f"linear_compare {name}: {network} {result['linear']:.2f} % (kNN {result['knn']:.2f} %)")


if __name__ == "__main__":
    main()
