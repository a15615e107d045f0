"""The super-net W_0 and its sub-nets W_i ⊆ W_0 (paper, section 4.2 and Fig. 3), by check-out and check-in.

W_0 is an ordinary ResNet of the full widths. The channels of every stage are `[shared | g1 | … | gG]`. A sub-net
is an ordinary ResNet too: its weights are the slices of W_0's that belong to `shared ∪ g[path]` on each side. All
sub-nets have the same shapes, so that one *template* serves them all: check a path out into the template, train or
evaluate that as any module, check it in again. Momentum is sliced as the weights are, so "Optimize W_i" (Algorithm 1)
touches W_i and nothing else.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from sdr.nets.backbone import Backbone
from sdr.nets.paths import N_STAGES, subnet_of

N = TypeVar("N", bound=nn.Module)
Path = tuple[int, ...]
Own = Literal["none", "affine", "all"]  # what each sub-net has for itself, not as slices of W_0's


@dataclass(frozen=True)
class Axis:
    """A tensor's axis of `shared + groups · group` channels in W_0, `shared + group` in a sub-net."""

    stage: int
    shared: int
    group: int

    def pieces(self, path: Path) -> list[tuple[int, int, int]]:
        """The channels that `path` uses, as (start in W_0, start in the sub-net, length)."""
        return [(0, 0, self.shared), (self.shared + path[self.stage] * self.group, self.shared, self.group)]

    def everywhere(self, groups: int) -> Tensor:
        """The channel of a sub-net that stands at each of W_0's, int64, where all groups are its group."""
        own = torch.arange(self.shared + self.group)
        return torch.cat([own[: self.shared], own[self.shared :].repeat(groups)])


Axes = tuple[Axis | None, ...]  # one an axis of the tensor; None: not split


def split_axes(network: nn.Module, spec: Backbone) -> dict[str, Axes]:
    """Name the split axes of every parameter of `network` that has one: of each `backbone` in it, and of the first
    layer of the `projector` beside that."""
    inside = [name[: -len("backbone")] for name, _ in network.named_modules() if name.split(".")[-1] == "backbone"]
    return {prefix + name: axes for prefix in inside for name, axes in _of_encoder(network, prefix, spec).items()}


def _of_encoder(network: nn.Module, prefix: str, spec: Backbone) -> dict[str, Axes]:
    backbone = network.get_submodule(f"{prefix}backbone")
    axes: dict[str, Axes] = {}
    enter: Axis | None = None  # the stem is shared by all
    for stage in range(N_STAGES):
        inner = Axis(stage, spec.shared[stage], spec.group[stage])
        leave = Axis(stage, spec.shared[stage] * spec.expansion, spec.group[stage] * spec.expansion)
        for index, block in enumerate(getattr(backbone, f"layer{stage + 1}")):
            last = f"conv{2 if spec.block == 'basic' else 3}"
            out: Axis | None = None
            for name, module in block.named_modules():
                full = f"backbone.layer{stage + 1}.{index}.{name}"
                if isinstance(module, nn.Conv2d):
                    shortcut = name.startswith("downsample")
                    out = leave if shortcut or name == last else inner
                    axes[f"{full}.weight"] = (out, enter if shortcut or name == "conv1" else inner, None, None)
                elif isinstance(module, nn.modules.batchnorm._BatchNorm):  # follows its convolution
                    axes[f"{full}.weight"] = axes[f"{full}.bias"] = (out,)
            enter = leave
    axes["projector.0.weight"] = (None, enter)
    return axes


def blocks(whole: Tensor, part: Tensor, axes: Axes, path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Pair the views of W_0's tensor `whole` and of the sub-net's tensor `part` that hold the same elements."""
    pieces = [[(0, 0, n)] if axis is None else axis.pieces(path) for axis, n in zip(axes, part.shape)]
    for choice in product(*pieces):
        a, b = whole, part
        for dim, (start, offset, length) in enumerate(choice):
            a, b = a.narrow(dim, start, length), b.narrow(dim, offset, length)
        yield a, b


@torch.no_grad()
def fill(supernet: nn.Module, subnet: nn.Module, spec: Backbone) -> None:
    """Copy a network of a sub-net's widths into every block of the super-net's weights: shared → shared, shared → g_k,
    g_k → shared and g_j → g_k for all j and k. Every path then computes exactly what `subnet` does. W_0 itself does not: it
    counts the group's contribution once a group.
    """
    axes = split_axes(subnet, spec)
    for (name, whole), parameter in zip(supernet.named_parameters(), subnet.parameters(), strict=True):
        part: Tensor = parameter
        for dim, axis in enumerate(axes.get(name, ())):
            if axis is not None:
                part = part.index_select(dim, axis.everywhere(spec.groups).to(part.device))
        whole.copy_(part)


def of_their_own(template: nn.Module, n_subnets: int, which: Own) -> dict[str, Tensor] | None:
    """Room for parameters of each sub-net's own, to be a super-net's `own`.

    Args:
        template: a network of a sub-net's widths.
        which: `affine`, scale and shift of the batch norms in each `backbone`; `all`, every parameter, the heads' too, so that
            sub-nets are separate networks which share nothing; `none`.

    Returns:
        name of a parameter → `n_subnets×…` of its shape, and "started", `n_subnets` bool: whether a sub-net has any yet; until it is
        checked in for the first time it has W_0's. None for `none`.
    """
    if which == "none":
        return None
    norms, parameters = nn.modules.batchnorm._BatchNorm, dict(template.named_parameters())
    names = [
        name
        for name in parameters
        if which == "all"
        or isinstance(template.get_submodule(name.rpartition(".")[0]), norms)
        and "backbone" in name.split(".")
    ]
    own = {name: parameters[name].detach().new_zeros(n_subnets, *parameters[name].shape) for name in names}
    return own | {"started": torch.zeros(n_subnets, dtype=torch.bool)}


class SubNets(Generic[N]):
    """Checks sub-nets out of a super-net into a template, and in again.

    Args:
        supernet: W_0. If it has `own` (`of_their_own`), that is where these parameters of a sub-net are, in place of W_0's slices.
        template: the same network at a sub-net's widths.
        spec: the widths.
        optimizers: the super-net's and the template's optimizer (the same class, parameters in the same order);
            their per-parameter state, momentum say, is sliced like the parameters.
        only: names of parameters; others are left alone. None: all.

    Attributes:
        own_state: of the optimizer, for `own`: name and key → `n_subnets×…`.
    """

    def __init__(
        self,
        supernet: nn.Module,
        template: N,
        spec: Backbone,
        optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer] | None = None,
        only: Container[str] | None = None,
    ):
        self.template, self._groups = template, spec.groups
        self._own: dict[str, Tensor] = getattr(supernet, "own", None) or {}
        self.own_state: dict[str, Tensor] = {}
        axes = split_axes(template, spec)
        self._tensors: _Sliced = {}
        self._replaced: _Sliced = {}  # what `own` replaces
        self._rows: list[tuple[Tensor, Tensor]] = []  # ... by a row of each of these
        self._slices: dict[tuple, tuple[list[Tensor], list[Tensor]]] = {}  # by stages and the groups taken there
        for (name, whole), part in zip(supernet.named_parameters(), template.parameters(), strict=True):
            if only is not None and name not in only:
                continue
            split = axes.get(name, (None,) * whole.ndim)
            tensors = self._replaced if name in self._own else self._tensors
            same = tensors.setdefault(tuple(axis.stage for axis in split if axis), [])
            same.append((whole, part, split))
            if name in self._own:
                self._rows.append((self._own[name], part))
            if optimizers is not None:
                states = optimizers[0].state.get(whole, {}), optimizers[1].state.get(part, {})  # followers have none
                for key, value in states[0].items():
                    if torch.is_tensor(value) and value.shape == whole.shape:
                        same.append((value, states[1][key], split))
                        if name in self._own:
                            rows = self.own_state[f"{name}:{key}"] = torch.zeros_like(self._own[name])
                            self._rows.append((rows, states[1][key]))

    @torch.no_grad()
    def check_out(self, path: Path) -> N:
        """Copy the slices of `path`, parameters and optimizer state, into the template; return the template."""
        for whole, part in self._of(self._tensors, path):
            torch._foreach_copy_(part, whole)
        number = subnet_of(path, self._groups)
        if self._own and self._own["started"][number]:
            torch._foreach_copy_([part for _, part in self._rows], [rows[number] for rows, _ in self._rows])
        else:
            for whole, part in self._of(self._replaced, path):
                torch._foreach_copy_(part, whole)
        return self.template

    @torch.no_grad()
    def check_in(self, path: Path) -> None:
        """Write the template back to the slices of `path`. Everything outside W_path stays as it is."""
        for whole, part in self._of(self._tensors, path):
            torch._foreach_copy_(whole, part)
        if self._own:
            number = subnet_of(path, self._groups)
            torch._foreach_copy_([rows[number] for rows, _ in self._rows], [part for _, part in self._rows])
            self._own["started"][number] = True

    def _of(self, sliced: "_Sliced", path: Path) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """Views of W_0's tensors and of the template's that hold the same elements. They are kept, since to make them takes
        three times as long as to copy; where a network has moved, to another device say, they are made anew."""
        for stages, tensors in sliced.items():
            whole, part, _ = tensors[0]
            key = stages, tuple(path[stage] for stage in stages), whole.data_ptr(), part.data_ptr()
            if key not in self._slices:
                wholes, parts = zip(*(pair for tensor in tensors for pair in blocks(*tensor, path)))
                self._slices[key] = list(wholes), list(parts)
            yield self._slices[key]


_Sliced = dict[
    tuple[int, ...], list[tuple[Tensor, Tensor, Axes]]
]  # tensors of W_0 and the template by the stages that split them
