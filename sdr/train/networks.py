"""The networks of a training, and one draw of Algorithm 1: a step of W_0, or of a sub-net that is taught."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sdr.base.errors import UserError
from sdr.base.randomness import derive
from sdr.base.ranks import world
from sdr.nets.paths import path_of
from sdr.nets.supernet import SubNets, fill, of_their_own
from sdr.ssl.folder import load_network
from sdr.ssl.method import build
from sdr.ssl.simsiam import SimSiam
from sdr.train.compute import Device, place
from sdr.train.pairs import Pairs
from sdr.train.schedule import W0
from sdr.train.step import Outcome, Rates, Teacher, Trainee
from sdr.train.training import Training


@dataclass(frozen=True)
class Networks:
    """W_0, the template that its sub-nets are checked out into, and their teacher; of a baseline W_0 alone."""

    job: Training
    w0: Trainee
    sub: Trainee | None = None
    subnets: SubNets | None = None
    teacher: Teacher | None = None

    @classmethod
    def build(
        cls,
        job: Training,
        baseline: SimSiam | None,
        state: dict | None,
        device: torch.device,
        settings: Device,
        pairs: Pairs,
    ) -> "Networks":
        """Networks as a training starts with them.

        Args:
            baseline: on `device`, where `job` needs one; it is left as it is, but for its mode.
            state: of a checkpoint, to go on from.
        """
        torch.manual_seed(derive(job.schedule.seed, "weights"))
        networks = [
            place(build(job.method, job.spec, widths, job.heads, job.contrast), device, settings)
            for widths in (job.spec.supernet_widths, job.spec.subnet_widths)[: 2 if job.subsets else 1]
        ]
        if job.init == "baseline":
            fill(networks[0], baseline, job.spec)
        if job.subsets:
            networks[0].own = of_their_own(networks[1], job.schedule.n_subnets, job.own)
        w0, *sub = (Trainee(network, job.optimization, settings, pairs) for network in networks)
        if state:  # before sub-nets look for the momentum: loading makes it anew
            w0.network.load_state_dict(state["supernet"])
            w0.optimizer.load_state_dict(state["optimizer"])
        if not sub:
            return cls(job, w0)
        subnets = SubNets(w0.network, sub[0].network, job.spec, (w0.optimizer, sub[0].optimizer))
        for own, kept in ((w0.network.own, "own"), (subnets.own_state, "own_state")) if state else ():
            for name, value in (own or {}).items():
                value.copy_(state[kept][name])
        teacher = w0
        if job.teacher == "baseline":
            teacher = Teacher(place(baseline.train().requires_grad_(False), device, settings), settings, pairs)
        return cls(job, w0, sub[0], subnets, teacher)

    @property
    def modules(self) -> list[SimSiam]:
        """All of them."""
        return [trainee.network for trainee in (self.w0, self.sub, self.teacher) if trainee is not None]

    def step(self, network: int, views: tuple[Tensor, Tensor], rates: Rates, norm: bool) -> Outcome:
        """One draw of Algorithm 1.

        Args:
            network: `W0`, or the number of a sub-net.
            views: of this process' part of the images.
            rates: of this step.
            norm: whether the norm of the gradient is wanted.
        """
        if network == W0:
            return self.w0.step(views, [], None, rates, norm)
        how = self.job.distillation
        if how.train_teacher:
            taught = self.w0.step(views, [], None, rates, False).targets[: how.views_taught]
        else:
            taught = self.teacher.teach(views, how)
        path = path_of(network, self.job.spec.groups)
        self.subnets.check_out(path)
        outcome = self.sub.step(views, taught, how, rates, norm)
        self.subnets.check_in(path)
        return outcome

    def trained_by(self, network: int) -> SimSiam:
        """The network that a step of `network`, `W0` or the number of a sub-net, has just trained."""
        trainee = self.w0 if network == W0 else self.sub
        assert trainee is not None, "a baseline has no sub-net"
        return trainee.network

    def state(self) -> dict:
        """What a checkpoint holds: sub-nets are slices of W_0, but for what is their own."""
        own = self.w0.network.own or {}
        state = {"supernet": self.w0.network.state_dict(), "optimizer": self.w0.optimizer.state_dict()}
        return state | ({"own": own, "own_state": self.subnets.own_state} if own else {})

    def trained(self) -> SimSiam:
        """W_0 with ordinary batch norms, which calibration knows."""
        network, job = self.w0.network, self.job
        if world() == 1:
            return network
        plain = build(job.method, job.spec, job.spec.supernet_widths, job.heads)
        plain.load_state_dict(network.state_dict())
        plain.own = network.own
        return plain.to(next(network.parameters()).device, memory_format=torch.channels_last)


def load_baseline(directory: str | Path, job: Training, device: torch.device) -> SimSiam | None:
    """The baseline in `directory`, if `job` starts from it or is taught by it.

    Raises:
        UserError: it is not a network of a sub-net's widths and heads, trained by the same method.
    """
    if not job.needs_baseline:
        return None
    network, spec, config = load_network(directory, device)
    facts = {
        "method": (config["method"], job.method),
        "backbone": _shape(spec, spec.supernet_widths, job.spec, job.spec.subnet_widths),
        "heads": (config["heads"], job.heads.model_dump()),
    }
    for name, (theirs, ours) in facts.items():
        if theirs != ours:
            raise UserError(
                f"sdr.init, sdr.teacher: baseline: {directory} has {name} {theirs}, but a sub-net has {ours}: the baseline "
                "must be trained with the parameters of the sub-nets (pretrain.width: subnet); run `dvc repro pretrain`"
            )
    return network


def _shape(theirs, widths, ours, own) -> tuple[dict, dict]:
    """What decides the shapes of two backbones' weights."""
    return tuple(
        {"widths": list(planes)}
        | {name: getattr(spec, name) for name in ("block", "layers", "stem_type", "stem_width", "avg_down")}
        for spec, planes in ((theirs, widths), (ours, own))
    )
