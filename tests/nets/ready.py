"""Small ResNets of timm's, with weights that make every part of them count, as if somebody had trained them."""

import timm
import torch
from torch import nn

WIDTHS = (20, 20, 24, 32)


def ready(name: str = "resnet18", **arguments) -> nn.Module:
    """One of timm's by name, narrow and one block a stage, with a classifier of ten classes."""
    torch.manual_seed(0)
    network = timm.create_model(name, **{"channels": WIDTHS, "layers": (1, 1, 1, 1), "num_classes": 10} | arguments)
    for parameter in network.parameters():
        parameter.data = (
            parameter.data.abs().clamp(min=0.1) if parameter.ndim == 1 else torch.randn_like(parameter) * 0.2
        )
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return network.eval()


def save(network: nn.Module, folder) -> str:
    """As timm writes it for itself."""
    timm.models.save_for_hf(
        network, folder, safe_serialization=True, model_args={"channels": WIDTHS, "layers": (1, 1, 1, 1)}
    )
    return str(folder)
