"""SimSiam (Chen and He, CVPR 2021; the paper's section 4.1): a baseline, and the loss of every network in SDR."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from sdr.nets.backbone import Backbone, resnet
from sdr.nets.heads import Heads, predictor, projector


class SimSiam(nn.Module):
    """Encoder f (backbone and projector) and predictor h."""

    method: ClassVar[str] = "simsiam"
    fixed_predictor_lr: ClassVar[bool] = True  # the predictor's learning rate does not decay (section 4.2)
    own: dict[str, Tensor] | None = None  # of a super-net: `sdr.nets.supernet.of_their_own`

    def __init__(self, spec: Backbone, widths: tuple[int, ...], heads: Heads):
        super().__init__()
        self.backbone = resnet(spec, widths)
        self.projector = projector(self.backbone.num_features, heads)
        self.predictor: nn.Module = predictor(heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A view `N×3×H×W` → projection z = f(x), prediction p = h(z), and what the other view's prediction is to
        match: z without gradient. All `N×P`."""
        z = self.projector(self.backbone(x))
        return z, self.predictor(z), z.detach()

    def target(self, x: Tensor) -> Tensor:
        """What a prediction is to match, of a view `N×3×H×W`: `N×P`. Call it without gradient."""
        return self.projector(self.backbone(x))

    @staticmethod
    def loss(p1: Tensor, p2: Tensor, t1: Tensor, t2: Tensor) -> Tensor:
        """L_SSL, Eq. 1 of the paper made symmetric as in SimSiam; the paper's print drops the minus sign.

        Args:
            p1, p2: predictions of the two views, `N×P`.
            t1, t2: their targets, `N×P`; they get no gradient.
        """
        return 0.5 * negative_cosine(p1, t2) + 0.5 * negative_cosine(p2, t1)

    def match(self, p: Tensor, t: Tensor) -> Tensor:
        """Of the distillation: how far predictions `N×P` are from the targets `N×P` of a teacher."""
        return negative_cosine(p, t)


def negative_cosine(p: Tensor, t: Tensor) -> Tensor:
    """−⟨p/‖p‖, t/‖t‖⟩, averaged over the batch, no gradient through t. Both `N×P`; in [−1, 1]."""
    return -F.cosine_similarity(p, t.detach(), dim=-1).mean()
