"""A trained super-net with its calibration: any of its networks, ready to evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import Tensor

from sdr.base.errors import UserError
from sdr.nets.calibrate import set_statistics
from sdr.nets.heads import Heads
from sdr.nets.paths import path_of
from sdr.nets.supernet import SubNets
from sdr.ssl.folder import load_network
from sdr.ssl.method import build
from sdr.ssl.simsiam import SimSiam

if TYPE_CHECKING:
    from timm.models.resnet import ResNet


class TrainedSdr:
    """W_0 and its sub-nets.

    Attributes:
        n_subnets: how many were trained.
        common: whether all statistics come from the same images, and all weights are W_0's, so that sub-nets agree as far as
            their paths do.
        source: where the statistics of sub-nets come from: "cluster", each its own, or "common".
        images: that statistics are measured on, at most.
        of_task: images `N×3×S×S` of the task that is routed, as they are shown, to measure its own statistics on; None: no task has
            asked.

    Args:
        directory: `artifacts/sdrnet`.
        calibration: `artifacts/calibration`; None leaves the statistics unset (to calibrate them).
        device: where to put them.

    Raises:
        UserError: a file is missing or does not fit.
    """

    def __init__(self, directory: str | Path, calibration: str | Path | None, device: torch.device):
        network, self.spec, self.config = load_network(directory, device)
        self.n_subnets: int = self.config["n_subnets"]
        template = build(self.config["method"], self.spec, self.spec.subnet_widths, Heads(**self.config["heads"]))
        template = template.eval().to(device).to(memory_format=torch.channels_last)
        self._supernet, self._subnets = network, SubNets(network, template, self.spec)
        self._statistics: dict[str, Tensor] | None = None
        self.common, self.source, self.images = False, "cluster", 1
        self.of_task: Tensor | None = None
        if calibration is not None:
            file, meta = (Path(calibration) / name for name in ("bn.safetensors", "meta.json"))
            for needed in (file, meta):
                if not needed.exists():
                    raise UserError(f"{needed}: not found; run the stage calibrate")
            self._statistics = load_file(file)
            if len(self._statistics["subnets"]) != self.n_subnets:
                raise UserError(f"{file}: does not belong to {directory}; run the stage calibrate")
            found = json.loads(meta.read_text())
            self.source, self.images = found["source"], found["images"]
            self.common = self.source == "common" and network.own is None

    @property
    def widths(self) -> tuple[int, ...]:
        """Planes a stage of a sub-net."""
        return self.spec.subnet_widths

    @property
    def network(self) -> SimSiam:
        """W_0 with its heads, its statistics unset."""
        return self._supernet

    @property
    def template(self) -> SimSiam:
        """What sub-nets are checked out into."""
        return self._subnets.template

    @property
    def statistics(self) -> Tensor:
        """Means and variances of each sub-net's batch norms, `n_subnets×V` float32."""
        assert self._statistics is not None, "made without a calibration"
        return self._statistics["subnets"]

    def supernet(self) -> ResNet:
        """W_0's backbone."""
        if self._statistics is not None:
            set_statistics(self._supernet.backbone, self._statistics["w0"])
        return self._supernet.backbone

    @property
    def w0_trained(self) -> bool:
        """Whether any step trained W_0; after a warm start it need not be."""
        return self.config.get("w0_trained", True)

    def has(self, name: str) -> bool:
        """Whether calibration measured these statistics."""
        return self._statistics is not None and name in self._statistics

    def of(self, name: str) -> Tensor:
        """Other statistics that calibration measured: "subnets_all" `n_subnets×V`, of all images; "baseline" V; and
        "baseline_clusters" `n_subnets×V`, those of the baseline on each cluster.

        Raises:
            UserError: an older calibration, without them.
        """
        if self._statistics is None or name not in self._statistics:
            raise UserError(
                f"the calibration has no statistics `{name}`: run `dvc repro calibrate` again, or take it from the candidates"
            )
        return self._statistics[name]

    def subnet(self, number: int, rows: Tensor | None = None) -> ResNet:
        """The backbone of sub-net `number`, valid until the next call: all are checked out into one template.

        Args:
            rows: other statistics, V; None: those that calibration gives sub-nets.
        """
        backbone = self._subnets.check_out(path_of(number, self.spec.groups)).backbone
        if rows is not None:
            set_statistics(backbone, rows)
        elif self._statistics is not None:
            set_statistics(backbone, self._statistics["subnets"][number])
        return backbone
