"""Linear and kNN scores of the sub-nets that routing chose for one task → artifacts/eval/sdr/TASK.json.

From `route.top_m: 2` on also of the best together: their features side by side, and the mean of what each says.
"""

from pathlib import Path

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device
from sdr.evaluate.ensemble import Ensemble, member_folders
from sdr.evaluate.evaluate_task import Protocol, evaluate_task, evaluate_votes, evaluation, in_words
from sdr.evaluate.knn import Knn
from sdr.evaluate.linear import Linear
from sdr.nets.embed import Embedding
from sdr.nets.folder import load_backbone
from sdr.tasks.task import Task


@program
def main() -> None:
    name = entry("tasks")
    in_processes()
    protocol = Protocol(**load(seed=int, knn=Knn, linear=Linear, embed=Embedding))
    device = pick_device(several=True)
    task, folders = Task.open(f"artifacts/tasks/{name}"), member_folders(Path(f"artifacts/route/{name}"))
    members = [load_backbone(folder, device) for folder in folders]
    found = {"sdr": evaluate_task("sdr", members[0], task, protocol, device)}
    if len(members) > 1:
        found["ensemble"] = evaluate_task("ensemble", Ensemble(members), task, protocol, device)
        found["votes"] = evaluate_votes(members, task, protocol, device)
        for together in ("ensemble", "votes"):
            found[together] |= {"members": len(members)}
    write_json(f"artifacts/eval/sdr/{name}.json", evaluation(task, folders[0], found))
    print(f"evaluate_routed {name}: {in_words(found)}")


if __name__ == "__main__":
    main()
