"""What share of a training's time its probe takes.

    python -m benchmarks.probe [--tasks photographs icons numerals] [--every 10] [--steps 100] [--out FILE]

After a run of the pipeline: `sdr.train.loop.train` trains the baseline of params.yaml on its corpus, artifacts/data, with a look every
`--every` steps, once without a task and once with one more each time; the sample and the tasks' images are those of `probe`. Seconds
of a look and of a step come from one run and meet whatever else the machine does alike; the share is that of
a look every `probe.every` steps.
"""

import argparse
import contextlib
import io
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.fixture import common, facts, read_profile
from benchmarks.turns import now
from sdr.corpus.store import ImageStore
from sdr.train.jobs import baseline
from sdr.train.loop import train
from sdr.train.probe import Probe, Probing
from sdr.train.settings import Pretrain
from sdr.train.training import Training


class Clocked(Probe):
    """Counts nothing of what the device still had to do when a look began."""

    def __init__(self, params: Probing, job: Training, data: ImageStore, device: torch.device):
        super().__init__(params, job, data)
        self._device = device

    def look(self, *what) -> None:
        now(self._device)
        super().look(*what)


def measure(params: Probing, job: Training, data: ImageStore, device: torch.device, every: int) -> dict[str, float]:
    """Seconds of a look and of a step, how many steps a look takes as long as, and its share at `params.every`."""
    with contextlib.redirect_stdout(io.StringIO()):
        probe = Clocked(params.model_copy(update={"every": every}), job, data, device)
        cost = train(job, data, None, device, probe=probe)[2]
    look = probe.seconds / len(probe.rows)
    step = (cost["seconds"] - probe.seconds) / job.schedule.steps
    found = {"look_ms": 1e3 * look, "step_ms": 1e3 * step, "steps_a_look": look / step}
    return found | ({"share": look / (look + params.every * step)} if params.every else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--profile", type=Path, default=Path("params.yaml"), help="a file of profiles/, or a complete one"
    )
    parser.add_argument("--tasks", nargs="*", default=["photographs", "icons", "numerals"], help="prepared ones")
    parser.add_argument("--every", type=int, default=10, help="steps from look to look")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path, help="write the result as JSON too")
    args = parser.parse_args()
    values, device, data = read_profile(args.profile), torch.device(args.device), ImageStore.open("artifacts/data")
    params, section = Probing(**values["probe"]), Pretrain(**values["pretrain"])
    batch = section.optimization.batch_size
    short = section.model_copy(update={"epochs": args.steps * batch / len(data)})
    job = baseline(short, common(values), len(data), len(data))
    result = {"profile": str(args.profile), "view": job.views.side, "batch": batch, "images": params.images}
    result |= {
        "every": params.every,
        "measured_every": args.every,
        "steps": args.steps,
        "tasks": args.tasks,
        "by_tasks": {},
    }
    with TemporaryDirectory() as folder:
        os.environ["SDR_SCRATCH"] = folder  # where the watch writes
        for n in range(len(args.tasks) + 1):
            probing = params.model_copy(update={"tasks": args.tasks[:n]})
            result["by_tasks"][n] = found = measure(probing, job, data, device, args.every)
            print(json.dumps({"tasks": n} | {key: round(value, 4) for key, value in found.items()}), flush=True)
    if args.out:
        args.out.write_text(json.dumps(result | facts(args.device), indent=2) + "\n")


if __name__ == "__main__":
    main()
