"""The baseline, trained on with the corpus images nearest to one task's → artifacts/adapted/TASK, and what it cost → artifacts/timing."""

from pathlib import Path

import numpy as np

from sdr.base.errors import program
from sdr.base.names import entry
from sdr.base.outputs import output_dir, write_csv, write_json
from sdr.base.params import load
from sdr.base.ranks import in_processes, pick_device, rank
from sdr.nets.folder import save_resnet
from sdr.tasks.task import Task
from sdr.train.adapt import RECIPE, Adapt, Recipe, adapt


@program
def main() -> None:
    name = entry("adapt")
    in_processes()
    key = f"adapt__{name}"
    params = load(**RECIPE, **{key: Adapt})
    recipe = Recipe.of(params)
    device, shown = pick_device(several=True), Task.open(f"artifacts/tasks/{name}").images("train")
    found = adapt(Path("artifacts"), shown, params[key], recipe, device)
    with output_dir(f"artifacts/adapted/{name}") as out:
        write_json(out / "config.json", found.facts)
        write_csv(out / "history.csv", found.history)
        np.save(out / "images.npy", found.rows)
        (out / "backbone").mkdir()
        save_resnet(out / "backbone", found.backbone, found.spec, found.spec.supernet_widths, recipe.embed.side)
    write_json(f"artifacts/timing/adapted/{name}.json", found.cost)
    if rank() == 0:
        found.checkpoints.remove()
    print(
        f"adapt {name}: {found.facts['steps']:,} steps on {len(found.rows):,} corpus images, last loss "
        f"{found.history[-1]['loss']:.3f}; {found.cost['images_per_s']:,.0f} images/s"
    )


if __name__ == "__main__":
    main()
