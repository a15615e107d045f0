"""Linear and kNN scores of the baseline that was trained on for one task → artifacts/eval/adapted/TASK.json."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device
from sdr.evaluate.evaluate_task import Protocol, evaluate_task, evaluation, in_words
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.nets.folder import load_backbone
from sdr.tasks.task import Task


@program
def main() -> None:
    name = entry("adapt")
    in_processes()
    protocol = Protocol(**load(seed=int, knn=Knn, linear=Linear, embed=Embedding))
    device = pick_device(several=True)
    task, folder = Task.open(f"artifacts/tasks/{name}"), f"artifacts/adapted/{name}/backbone"
    found = {"adapted": evaluate_task("adapted", load_backbone(folder, device), task, protocol, device)}
    write_json(f"artifacts/eval/adapted/{name}.json", evaluation(task, folder, found))
    print(f"evaluate_adapted {name}: {in_words(found)}")


if __name__ == "__main__":
    main()
