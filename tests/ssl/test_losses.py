"""The losses against closed forms in float64."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.randomness import torch_rng
from sdr.ssl.distill import l2_loss, siamkd_loss
from sdr.ssl.simsiam import SimSiam, negative_cosine


def four(seed: int) -> list[torch.Tensor]:
    return [torch.randn(5, 7, dtype=torch.float64, generator=torch_rng(seed, i)).requires_grad_() for i in range(4)]


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return ((a / a.norm(dim=1, keepdim=True)) * (b / b.norm(dim=1, keepdim=True))).sum(1).mean()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_simsiam_is_eq_1_with_its_sign_and_stop_gradient(seed):
    p1, p2, z1, z2 = four(seed)
    loss = SimSiam.loss(p1, p2, z1, z2)
    torch.testing.assert_close(loss, -(cosine(p1, z2) + cosine(p2, z1)) / 2, rtol=1e-12, atol=1e-12)
    loss.backward()
    assert p1.grad is not None and p2.grad is not None and z1.grad is None and z2.grad is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_siamkd_is_eq_4(seed):
    p1, p2, t1, t2 = four(seed)
    one = siamkd_loss([p1, p2], [t1])
    torch.testing.assert_close(one, -cosine(p2, t1), rtol=1e-12, atol=1e-12)
    both = siamkd_loss([p1, p2], [t1, t2])
    torch.testing.assert_close(both, -(cosine(p2, t1) + cosine(p1, t2)) / 2, rtol=1e-12, atol=1e-12)
    both.backward()
    assert t1.grad is None and t2.grad is None and p1.grad is not None


def test_l2_compares_the_same_view_without_gradient_to_the_teacher():
    z1, z2, t1, t2 = four(0)
    loss = l2_loss([z1, z2], [t1, t2])
    expected = (((z1 - t1) ** 2).mean() + ((z2 - t2) ** 2).mean()) / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert t1.grad is None and z1.grad is not None
    torch.testing.assert_close(l2_loss([z1, z2], [t1]), ((z1 - t1) ** 2).mean())


def test_scale_does_not_matter_to_the_cosine():
    p, z, *_ = four(1)
    torch.testing.assert_close(negative_cosine(p, z), negative_cosine(3 * p, 0.1 * z))
    torch.testing.assert_close(negative_cosine(p, p), torch.tensor(-1.0, dtype=torch.float64))
