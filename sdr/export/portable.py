"""A backbone as a file that runs without its Python classes: in ONNX, and as a `torch.export` program."""

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from sdr.base.errors import UserError

_BATCH = {"images": {0: torch.export.Dim("batch")}}


class _Named(nn.Module):
    """The backbone with the input's public name, which `torch.export` takes from the signature of `forward`."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone(images)


def write_onnx(backbone: nn.Module, size: int, path: str | Path, output: str = "features") -> None:
    """Write one ONNX file, weights included: `images` `N×3×size×size` float32 → `features` `N×D` float32, any N.

    Args:
        backbone: maps images to pooled features; it is not changed, whatever its mode, device and precision.
        size: side of the images, pixels.
        path: in an existing directory.
        output: name of what comes out: "logits" of a classifier.

    Raises:
        UserError: onnx or onnxscript, which PyTorch's exporter needs, is not installed.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} not installed: `pip install onnx onnxscript`")
    program = _program(backbone, size)
    with _quiet():
        torch.onnx.export(
            program,
            f=path,
            input_names=["images"],
            output_names=[output],
            dynamic_shapes=_BATCH,
            external_data=False,  # one file; a ResNet is far below the 2 GB that one may hold
            verbose=False,  # no progress on the terminal
        )


def write_program(backbone: nn.Module, size: int, path: str | Path) -> None:
    """Write a `torch.export` program: `images` `N×3×size×size` float32 → features `N×D` float32, any N.

    `torch.export.load(path).module()` computes it with PyTorch alone.

    Args:
        backbone: maps images to pooled features; it is not changed, whatever its mode, device and precision.
        size: side of the images, pixels.
        path: in an existing directory; `torch.export.load` grumbles at other endings than `.pt2`.
    """
    program = _program(backbone, size)
    with _quiet():
        torch.export.save(program, path)


def _program(backbone: nn.Module, size: int) -> torch.export.ExportedProgram:
    """Trace a copy of the backbone in evaluation mode, on the CPU and in float32."""
    copied = copy.deepcopy(backbone).eval().to("cpu", torch.float32, memory_format=torch.contiguous_format)
    images = torch.zeros(2, 3, size, size)  # two: a dimension of one would be taken for a constant
    with _quiet():
        program = torch.export.export(_Named(copied), (images,), dynamic_shapes=_BATCH)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # file names of this machine, which are nobody else's business
    return program


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' warnings and their log below errors off the terminal; exceptions say what failed."""
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)
