"""Task-customized knowledge distillation (paper, section 4.2, Eq. 4), and L2 for the ablation (section 5.3).

The teacher is W_0 on the same views, without gradient: knowledge goes from the super-net to the sub-net alone.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from sdr.ssl.simsiam import negative_cosine


def siamkd_loss(
    p: list[Tensor], teacher: list[Tensor], match: Callable[[Tensor, Tensor], Tensor] = negative_cosine
) -> Tensor:
    """L_SiamKD: the sub-net's prediction of one view predicts the super-net's projection of the other.

    Args:
        p: predictions h(f_Wi(x1)), h(f_Wi(x2)) of the sub-net, `N×P` each.
        teacher: f_W0(x1), and f_W0(x2) for the symmetric loss, `N×P` each; with BYOL of the target network. With one,
            the loss is Eq. 4 to the letter; with two, the mean of both directions. The print drops the minus sign.
        match: the method's measure of a prediction and a target: the negative cosine (Eq. 4); with SimCLR the prediction is
            the projection, which must find the teacher's among the batch.
    """
    students = [p[1], p[0]]
    first, *others = [match(s, t) for s, t in zip(students, teacher)]
    return sum(others, first) / len(teacher)


def l2_loss(z: list[Tensor], teacher: list[Tensor]) -> Tensor:
    """Mean squared error between the projections `N×P` of the same view, the vanilla alternative."""
    first, *others = [F.mse_loss(s, t.detach()) for s, t in zip(z, teacher)]
    return sum(others, first) / len(teacher)
