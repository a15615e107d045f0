"""Choose the network for one task, and export it → artifacts/route/TASK.

There `backbone` is the choice, whose test scores are measured, and `recommended` what the verdict says to take: it, the baseline or W_0.
"""

from sdr.base.checkpoint import fingerprint
from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import digest, output_dir, write_json
from sdr.base.params import load
from sdr.base.progress import Progress
from sdr.base.ranks import in_processes, pick_device
from sdr.evaluate.ensemble import member_folder
from sdr.evaluate.knn import Knn
from sdr.export.write import write_backbone
from sdr.nets.embed import Embedding
from sdr.route.bundle import open_bundle
from sdr.route.result import RECOMMENDED, in_words, members, write_result
from sdr.route.search import Labelled, Search, search
from sdr.tasks import in_corpus
from sdr.tasks.judged import judged_by
from sdr.tasks.task import Task


@program
def main() -> None:
    name = entry("tasks")
    in_processes()
    params = load(seed=int, route=Search, knn=Knn, embed=Embedding)
    device = pick_device(several=True)
    bundle = open_bundle("artifacts", device)
    opened = Task.open(f"artifacts/tasks/{name}")
    images, targets, alike = judged_by(opened)
    task = Labelled(name, images, targets, len(opened.classes), opened.metric)
    seen = digest(f"artifacts/tasks/{name}"), str(device)  # the content of images and labels, not their names
    progress = Progress(fingerprint(stage="route", params=params, seal=bundle.seal["files"], seen=seen))
    ranking = search(
        bundle.trained,
        bundle.baseline,
        task,
        params["route"],
        params["knn"],
        params["embed"],
        bundle.clusters,
        params["seed"],
        device,
        progress,
    )
    with output_dir(f"artifacts/route/{name}") as out:
        route = write_result(out, bundle, task, ranking, params["route"], params["knn"])
        known = in_corpus.in_corpus(f"artifacts/tasks/{name}", "artifacts/data")
        write_json(out / "route.json", route | ({"left_out": alike} if alike else {}) | in_corpus.report(known))
        words = in_words(route, task.metric)
        for place, network in enumerate(members(ranking.decision.choice, route["best"])):
            folder = out / member_folder(place)
            folder.mkdir()
            called = network.facts(bundle.trained)["name"]
            title = f"{called}, number {place + 1}" if place else f"{called}, chosen"
            how = words if place == 0 else None
            write_backbone(folder, bundle, network, f"{title} for {name}", (), name, how, f"dvc repro route@{name}")
        advised, folder = ranking.decision.recommended, out / RECOMMENDED
        folder.mkdir()
        title = f"{advised.facts(bundle.trained)['name']}, recommended for {name}"
        write_backbone(folder, bundle, advised, title, (), name, words, f"dvc repro route@{name}")
    progress.remove()
    print(f"route {name}: {route['choice']['name']}; {words}")
    if alike:
        print(f"warning: {name}: {alike:,} pictures of train look like another one of their labels, and did not count")
    for warning in in_corpus.warnings(known):
        print(f"warning: {name}: {warning}")


if __name__ == "__main__":
    main()
