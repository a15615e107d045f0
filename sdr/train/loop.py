"""The training of a super-net and its sub-nets (paper, Algorithm 1). With no sub-net it is the baseline's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from sdr.data.views import Views, random_view, unit_interval
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.nets.paths import path_of
from sdr.nets.supernet import SubNets
from sdr.params import Section
from sdr.ssl.distill import l2_loss, siamkd_loss
from sdr.ssl.simsiam import SimSiam, simsiam_loss
from sdr.train.checkpoint import Checkpoint
from sdr.train.pairs import Pairs
from sdr.train.randomness import derive, draw_batch, torch_rng
from sdr.train.schedule import W0, Schedule, cosine
from sdr.train.watch import Watch


class Optimization(Section):
    """SGD as in SimSiam; the peak learning rate is `lr · batch_size / 256`."""

    batch_size: PositiveInt = Field(ge=2)
    lr: PositiveFloat
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    warmup_epochs: float = Field(ge=0)


class Distillation(Section):
    """What the sub-nets learn from W_0."""

    loss: Literal["siamkd", "l2", "none"]
    views: Literal[1, 2]  # of the teacher: 1 is Eq. 4 to the letter, 2 is symmetric
    weight: PositiveFloat


class Images(Protocol):
    """Where batches come from, `sdr.data.store.ImageStore` say."""

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Image indices `B` → `B×S×S×3` uint8."""


@dataclass(frozen=True)
class Training:
    """All that a training depends on.

    Attributes:
        subsets: the image indices of D_1 … D_k, a sub-net each; D_0 is the union of all images.
        images: N, the size of D_0.
    """

    spec: Backbone
    heads: Heads
    views: Views
    optimization: Optimization
    schedule: Schedule
    images: int
    subsets: list[np.ndarray] = field(default_factory=list)
    distillation: Distillation | None = None
    log_every: int = 10


def train(job: Training, data: Images, checkpoint: Checkpoint, device: torch.device) -> tuple[SimSiam, list[dict]]:
    """Run `job`; return W_0 with its heads (batch-norm statistics are left to calibration), and the history.

    Raises:
        UserError: a network collapsed or its loss is not finite.
    """
    torch.manual_seed(derive(job.schedule.seed, "weights"))
    supernet = SimSiam(job.spec, job.spec.supernet_widths, job.heads).to(device, memory_format=torch.channels_last)
    template = SimSiam(job.spec, job.spec.subnet_widths, job.heads).to(device, memory_format=torch.channels_last)
    optimizers = _sgd(supernet, job.optimization), _sgd(template, job.optimization)
    subnets = SubNets(supernet, template, job.spec, optimizers)
    history: list[dict] = []
    step = 0
    if state := checkpoint.load():
        supernet.load_state_dict(state["supernet"])
        optimizers[0].load_state_dict(state["optimizer"])
        subnets = SubNets(supernet, template, job.spec, optimizers)  # the state's tensors are new ones
        history, step = state["history"], state["step"]
        print(f"going on from step {step} of {job.schedule.steps}")

    def snapshot() -> dict:
        return {"supernet": supernet.state_dict(), "optimizer": optimizers[0].state_dict(), "step": step} | {
            "history": history
        }

    everything = np.arange(job.images)
    steps, size, seed = job.schedule.steps, job.optimization.batch_size, job.schedule.seed
    warmup = round(job.optimization.warmup_epochs * job.images / size)
    watch = Watch("training", steps, step, job.log_every, history)
    try:
        with Pairs(device) as pairs, batch_statistics(supernet), batch_statistics(template):
            while step < steps:
                number = job.schedule.network(step)
                indices = draw_batch(everything if number == W0 else job.subsets[number], size, seed, step)
                x = unit_interval(torch.from_numpy(data.read(indices)).to(device))
                draws = (torch_rng(seed, "views", step, i) for i in (1, 2))
                views = pairs.map(lambda draw, x=x: random_view(x, job.views, draw), *draws)
                peak = job.optimization.lr * size / 256
                lr = peak * cosine(step, steps, warmup)
                if number == W0:
                    losses, z = _step(supernet, views, None, None, optimizers[0], lr, peak, pairs)
                else:
                    path = path_of(number, job.spec.groups)
                    subnets.check_out(path)
                    losses, z = _step(template, views, supernet, job.distillation, optimizers[1], lr, peak, pairs)
                    subnets.check_in(path)
                name = "W0" if number == W0 else str(number)
                watch.look(step, name, job.schedule.phase(step), losses, z, lr)
                step += 1
                checkpoint.save(snapshot)
    finally:
        watch.close()
    return supernet, history


def _step(
    network: SimSiam,
    views: tuple[Tensor, Tensor],
    teacher: SimSiam | None,
    distillation: Distillation | None,
    optimizer: torch.optim.Optimizer,
    lr: float,
    peak: float,
    pairs: Pairs,
) -> tuple[dict[str, Tensor], Tensor]:
    """One step of L_SSL(D_0; W_0), or of L_SSL(D_i; W_i) + L_SiamKD(D_i; W_i)."""
    teacher_z: list[Tensor] = []
    if teacher is not None and distillation is not None and distillation.loss != "none":
        with torch.no_grad():
            project = lambda x: teacher.projector(teacher.backbone(x))  # noqa: E731
            teacher_z = [project(views[0])] if distillation.views == 1 else [*pairs.map(project, *views)]

    def losses(z1: Tensor, p1: Tensor, z2: Tensor, p2: Tensor) -> Tensor:
        ssl = simsiam_loss(p1, p2, z1, z2)
        if not teacher_z:
            return torch.stack([ssl, torch.zeros_like(ssl)])
        distill = siamkd_loss([p1, p2], teacher_z) if distillation.loss == "siamkd" else l2_loss([z1, z2], teacher_z)
        return torch.stack([ssl, distillation.weight * distill])

    first, second = pairs.map(network, *views)  # z, p of each view
    optimizer.param_groups[0]["lr"] = lr  # the encoder's
    optimizer.param_groups[1]["lr"] = peak  # the predictor's stays (SimSiam, section 4.2)
    optimizer.zero_grad(set_to_none=True)
    ssl, distill = pairs.backward(losses, [*first], [*second])
    optimizer.step()
    return {"loss": ssl + distill, "ssl": ssl, "distill": distill}, first[0].detach()


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Within the block batch norms normalise by the batch and keep nothing; calibration sets what evaluation uses."""
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def _sgd(network: SimSiam, params: Optimization) -> torch.optim.SGD:
    """SGD with its momentum there from the start (zeros), so that it can be sliced."""
    encoder = [*network.backbone.parameters(), *network.projector.parameters()]
    groups: list[dict] = [{"params": encoder}, {"params": [*network.predictor.parameters()]}]
    optimizer = torch.optim.SGD(groups, lr=0.0, momentum=params.momentum, weight_decay=params.weight_decay)
    for parameter in network.parameters():
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
