"""SimSiam (Chen and He, CVPR 2021; the paper's section 4.1): the baseline, and the loss of every network in SDR."""

import torch.nn.functional as F
from torch import Tensor, nn

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.heads import Heads, predictor, projector


class SimSiam(nn.Module):
    """Encoder f (backbone and projector) and predictor h."""

    def __init__(self, spec: Backbone, widths: tuple[int, ...], heads: Heads):
        super().__init__()
        self.backbone = resnet(spec, widths)
        self.projector = projector(self.backbone.num_features, heads)
        self.predictor = predictor(heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A view `N×3×H×W` → its projection z = f(x) and prediction p = h(z), both `N×P`."""
        z = self.projector(self.backbone(x))
        return z, self.predictor(z)


def negative_cosine(p: Tensor, z: Tensor) -> Tensor:
    """−⟨p/‖p‖, z/‖z‖⟩, averaged over the batch, no gradient through z. Both `N×P`; in [−1, 1]."""
    return -F.cosine_similarity(p, z.detach(), dim=-1).mean()


def simsiam_loss(p1: Tensor, p2: Tensor, z1: Tensor, z2: Tensor) -> Tensor:
    """L_SSL, Eq. 1 of the paper made symmetric as in SimSiam; the paper's print drops the minus sign."""
    return 0.5 * negative_cosine(p1, z2) + 0.5 * negative_cosine(p2, z1)
