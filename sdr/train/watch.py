"""Watch a training: history for plots, live numbers, and a stop at collapse or at a loss that is not finite."""

import csv
import math
import os
import resource
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from sdr.base.errors import UserError
from sdr.base.ranks import mean, rank
from sdr.train.schedule import W0
from sdr.train.step import Outcome, Rates

COLLAPSED = 0.1  # of the healthy spread 1/√d
PATIENCE = 5  # looks in a row below it
LINES = 20  # of a log that is no terminal


@torch.no_grad()
def spread(z: Tensor) -> Tensor:
    """Standard deviation over the batch of the normalised projections `N×P`, times √P: near 1 when healthy, 0 when
    all images have one projection (Chen and He, CVPR 2021, section 4.1)."""
    return F.normalize(z.float(), dim=1).std(0).mean() * math.sqrt(z.shape[1])


class Watch:
    """Looks at every `every`-th step.

    What depends on the training alone goes into `history`, an output; what depends on the machine, images a second and
    memory, goes with it into `<scratch>/live/<stage>.csv` as the training runs: `dvc plots show` draws that file too.

    Args:
        stage: what is trained.
        steps, start: of the training, and the first that is still to be done.
        every: steps from look to look.
        images: a step, over all processes.
        history: rows so far; is added to.
        scratch: folder of what is no output.

    Attributes:
        good: where the last good checkpoint lies, for messages.
    """

    def __init__(self, stage: str, steps: int, start: int, every: int, images: int, history: list[dict], scratch: Path):
        self.history, self._every, self._images, self._steps = history, every, images, steps
        self.good: Path | None = None
        self._stage, self._first = stage, rank() == 0
        self._probed = ""
        self._bar = tqdm(total=steps, initial=start, desc=stage, unit="step", disable=None if self._first else True)
        self._low: dict[str, int] = {}  # network → looks in a row at which its spread was low
        for row in history:
            self._count(row)
        self._began = self._time = time.perf_counter()
        self._start = self._seen = start
        self._live = scratch / "live" / f"{stage}.csv"
        if (
            self._first and self._live.exists()
        ):  # of the run that goes on here, up to its checkpoint; or of an older one
            lines = self._live.read_text().splitlines(keepends=True)
            whole = [
                line for line in lines if line.endswith("\n") and line[:1].isdigit()
            ]  # other runs may write here too
            kept = [line for line in whole if int(line.split(",")[0]) < start]
            self._live.write_text("".join(lines[:1] + kept if kept else []))

    def due(self, step: int) -> bool:
        """Whether `look` wants to see this step."""
        return step % self._every == 0

    def look(self, step: int, network: int, phase: int, outcome: Outcome, rates: Rates) -> None:
        """Look at a step closely.

        Raises:
            UserError: the network has collapsed, or its loss is not finite.
        """
        ssl, distill, std = mean(torch.stack([*outcome.losses, spread(outcome.z)])).tolist()
        self.check(step, network, phase, ssl + distill)
        row = {"step": step, "phase": phase, "network": "W0" if network == W0 else str(network)}
        row |= {"loss": round(ssl + distill, 5), "ssl": round(ssl, 5), "distill": round(distill, 5)}
        row |= {"std": round(std, 4), "gradient": round(float(outcome.gradient), 5), "lr": round(rates.encoder, 6)}
        if self._count(row) >= PATIENCE:
            raise UserError(
                f"training stopped: {_name(network)} has collapsed at step {step} (phase {phase}): the spread of "
                f"its projections is {std:.3f} of a healthy one{self._kept()}. Lower the learning rate, or use "
                "stronger views or a larger batch (params.yaml)"
            )
        self.history.append(row)
        now = time.perf_counter()
        rate = (step + 1 - self._seen) * self._images / max(now - self._time, 1e-9)
        self._time, self._seen = now, step + 1
        if self._first:
            self._write(row | {"images_per_s": round(rate, 1), "memory_mib": peak_mib(outcome.z.device)})
            words = f"net={row['network']}, loss={row['loss']:.3f}, std={std:.2f}"
            self._bar.set_postfix_str(words + self._probed)

    def show(self, probed: dict) -> None:
        """Show from now on what a probe saw."""
        values = {"rank": probed["rank"]} | {k.removeprefix("knn_"): v for k, v in probed.items() if k[:4] == "knn_"}
        self._probed = "".join(f", {name} {v:.1f}{'%' * (name != 'rank')}" for name, v in values.items())

    def _count(self, row: dict) -> int:
        """Looks in a row, this one included, at which the network's spread was low."""
        name = row["network"]
        self._low[name] = self._low.get(name, 0) + 1 if row["std"] < COLLAPSED else 0
        return self._low[name]

    def check(self, step: int, network: int, phase: int, loss: float) -> None:
        """Raise UserError if a loss is not finite."""
        if not math.isfinite(loss):
            raise UserError(
                f"training stopped: the loss of {_name(network)} is {loss} at step {step} (phase {phase})"
                f"{self._kept()}; lower the learning rate in params.yaml"
            )

    def count(self, step: int) -> None:
        """Count a step that is done: the bar on a terminal, now and then a line elsewhere."""
        self._bar.update()
        done, seconds = step + 1, time.perf_counter() - self._began
        if self._first and self._bar.disable and done * LINES // self._steps > step * LINES // self._steps:
            left = seconds / (done - self._start) * (self._steps - done)
            last = self.history[-1] if self.history else {"network": "?", "loss": math.nan}
            print(
                f"{self._stage}: step {done:,} of {self._steps:,}, network {last['network']}, loss {last['loss']:.3f}"
                f"{self._probed}, "
                f"{(done - self._start) * self._images / seconds:,.0f} images/s, {left:.0f} s left",
                flush=True,
            )

    def close(self) -> None:
        """End the progress bar."""
        self._bar.close()

    def _kept(self) -> str:
        return f"; the last good checkpoint is {self.good}" if self.good else "; there is no checkpoint yet"

    def _write(self, row: dict) -> None:
        self._live.parent.mkdir(parents=True, exist_ok=True)
        with self._live.open("a", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


def peak_mib(device: torch.device) -> float:
    """Most memory so far, MiB: of the GPU's allocator, or of this process."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return round(peak / (2**20 if os.uname().sysname == "Darwin" else 2**10), 1)


def _name(network: int) -> str:
    return "network W0" if network == W0 else f"network {network} (cluster {network})"
