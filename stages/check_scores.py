"""How well each routing score foresees linear evaluation on one task, over all sub-nets → artifacts/eval/scores/TASK.json."""

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.base.ranks import pick_device
from sdr.evaluate.evaluate_task import Protocol
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.route.bundle import open_bundle
from sdr.route.score_check import check_scores
from sdr.tasks.task import Task


@program
def main() -> None:
    name = entry("score_check")
    protocol = Protocol(**load(seed=int, knn=Knn, linear=Linear, embed=Embedding))
    device = pick_device()
    task = Task.open(f"artifacts/tasks/{name}")
    found = check_scores(open_bundle("artifacts", device), task, protocol, device)
    write_json(f"artifacts/eval/scores/{name}.json", {"task": name, **found})
    said = (
        f"{score} τ {e['tau']:.2f}, regret {e['regret']:.1f}"
        for score, e in found["scores"].items()
        if e["tau"] is not None
    )
    print(f"check_scores {name}: " + "; ".join(said) + f"; at random {found['chance']:.1f}")


if __name__ == "__main__":
    main()
