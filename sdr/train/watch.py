"""Watch a training: history for plots, a progress bar, and a stop at collapse or at a loss that is not finite."""

import math
import time

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from sdr.errors import UserError

COLLAPSED = 0.1  # of the healthy spread 1/√d
PATIENCE = 5  # looks in a row below it


@torch.no_grad()
def spread(z: Tensor) -> float:
    """Standard deviation over the batch of the normalised projections `N×P`, times √P: near 1 when healthy, 0 when
    all images have one projection (Chen and He, CVPR 2021, section 4.1)."""
    return float(F.normalize(z.float(), dim=1).std(0).mean()) * math.sqrt(z.shape[1])


class Watch:
    """Collects one row of history every `every` steps.

    Raises:
        UserError: from `look`, when a network collapses or its loss is not finite.
    """

    def __init__(self, name: str, steps: int, start: int, every: int, history: list[dict]):
        self.history, self.every = history, every
        self._bar = tqdm(total=steps, initial=start, desc=name, unit="step", disable=None)
        self._low: dict[str, int] = {}
        self._time, self._images = time.perf_counter(), 0

    def look(self, step: int, network: str, phase: int, losses: dict[str, Tensor], z: Tensor, lr: float) -> None:
        """Count a step; on every `every`-th look closely. `z`: projections `N×P` of the step."""
        self._bar.update()
        self._images += len(z)
        if step % self.every:
            return
        values = {name: float(loss) for name, loss in losses.items()}
        if not all(map(math.isfinite, values.values())):
            raise UserError(
                f"training stopped: the loss of network {network} is {values} at step {step} (phase {phase}): "
                "lower the learning rate in params.yaml"
            )
        std = spread(z)
        self._low[network] = self._low.get(network, 0) + 1 if std < COLLAPSED else 0
        if self._low[network] >= PATIENCE:
            raise UserError(
                f"training stopped: network {network} has collapsed at step {step} (phase {phase}): the spread of "
                f"its projections is {std:.3f} of a healthy one. Lower the learning rate, or use stronger views or a "
                "larger batch (params.yaml)"
            )
        now = time.perf_counter()
        rate = self._images / max(now - self._time, 1e-9)
        self._time, self._images = now, 0
        rounded = {name: round(value, 5) for name, value in values.items()}
        self.history.append(
            {"step": step, "phase": phase, "network": network, **rounded, "std": round(std, 4), "lr": round(lr, 6)}
            | {"images_per_s": round(rate, 1)}
        )
        self._bar.set_postfix(net=network, loss=f"{values['loss']:.3f}", std=f"{std:.2f}")

    def close(self) -> None:
        """End the progress bar."""
        self._bar.close()
