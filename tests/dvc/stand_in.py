"""Stands in for every stage program where dvc.yaml is tested: reads and writes all that is declared.

What it writes depends on the content of its dependencies and on its parameters, as with the real programs. A test that
watches it names a folder in `$STAND_IN`: each run adds a line to the file `ran` there, `STAGE SEED PID SCRATCH`, waits as long as
there is a file `hold-STAGE`, and fails if there is a file `fail-STAGE-SEED`, or as DVC does where its workers disturb each other
as many times as a file `disturb-STAGE-SEED` says.
"""

import hashlib
import itertools
import json
import os
import sys
import time
from pathlib import Path

import yaml


def main() -> None:
    name, _, key = os.environ["DVC_STAGE"].partition("@")
    stage = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][name]
    params = yaml.safe_load(Path("params.yaml").read_text())
    if watching := os.environ.get("STAND_IN"):
        watched(Path(watching), name, params["seed"])
    text = json.dumps(stage.get("do", stage))
    for variable, value in items(stage, key, params).items():
        text = text.replace(f"${{{variable}}}", value)
    stage = json.loads(text)
    seen = hashlib.sha256()
    for parameter in stage.get("params", []):
        value = params
        for part in parameter.split("."):
            value = value[part]
        seen.update(json.dumps([parameter, value]).encode())
    for dep in map(Path, stage["deps"]):
        for file in sorted(dep.rglob("*")) if dep.is_dir() else [dep]:
            seen.update(file.read_bytes() if file.is_file() else b"")
    number = int(seen.hexdigest()[:6], 16) / 2**18
    for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
        path = Path(next(iter(out)) if isinstance(out, dict) else out)
        if not path.suffix:
            path.mkdir(parents=True, exist_ok=True)
            path /= "result.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(scores(path.stem, number) if path.parent.name == "scores" else gain(path.stem, number))
        )
    print(f"{name} launched {os.environ.get('LAUNCHED', 'as it is')}")


def watched(folder: Path, stage: str, seed: int) -> None:
    """Do as a test says."""
    with (folder / "ran").open("a") as file:
        file.write(f"{stage} {seed} {os.getpid()} {os.environ.get('SDR_SCRATCH', 'none')}\n")
    while (folder / f"hold-{stage}").exists():
        time.sleep(0.05)
    if (folder / f"fail-{stage}-{seed}").exists():
        sys.exit(f"error: {stage} was told to fail")
    disturb = folder / f"disturb-{stage}-{seed}"
    if disturb.exists() and (times := int(disturb.read_text())):
        disturb.write_text(str(times - 1))
        sys.exit("ERROR: [Errno 2] No such file or directory: '/repo/.dvc/cache/runs/14/142f/.J-fq3cIwng9siv.tmp'")


def gain(file: str, number: float) -> dict:
    """What a file of metrics or an output holds."""
    return {"gain": number} if file == "summary" else {"shapes": number}


def scores(file: str, number: float) -> dict:
    """What `stages.scores` writes: of the baseline, of SDR, or of a network of `pruned`."""
    networks = {"baseline": ["baseline"], "sdr": ["w0", "sdr"]}.get(file, [file])
    found = {
        name: {p: {"shapes": number + i, "mean": number + i} for p in ("linear", "knn")}
        for i, name in enumerate(networks)
    }
    if file in ("baseline", "sdr"):
        found["training"] = {"images": 100, "teramacs": number, "seconds": 1.5}
    return found | ({"spread": {"shapes": 1.0, "mean": 1.0}} if file == "sdr" else {})


def items(stage: dict, key: str, params: dict) -> dict[str, str]:
    """What DVC puts in place of `key`, `item.NAME` in this stage of a `foreach` or a `matrix`."""
    if "foreach" in stage:
        entry = params[stage["foreach"].strip("${}")][key]
        return {"key": key} | {f"item.{name}": str(value) for name, value in entry.items()}
    if "matrix" in stage:
        axes = {name: list(params[values.strip("${}")]) for name, values in stage["matrix"].items()}
        for values in itertools.product(*axes.values()):
            if "-".join(values) == key:
                return {f"item.{name}": value for name, value in zip(axes, values)}
    return {}


if __name__ == "__main__":
    main()
