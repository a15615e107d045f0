"""NT-Xent against the formula written as loops, and against lightly's; for several processes see test_ranks.py."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.base.randomness import torch_rng
from sdr.ssl.distill import siamkd_loss
from sdr.ssl.simclr import Contrast, SimClr, find, nt_xent
from tests.train import toys


def views(seed: int, n: int = 5, dtype=torch.float64) -> list[torch.Tensor]:
    return [torch.randn(n, 7, dtype=dtype, generator=torch_rng(seed, i)).requires_grad_() for i in (0, 1)]


def by_loops(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> float:
    z = [[float(v) for v in row] for row in torch.cat([z1, z2])]

    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    n, total = len(z1), 0.0
    for i in range(2 * n):
        others = [math.exp(cosine(z[i], z[k]) / temperature) for k in range(2 * n) if k != i]
        total -= math.log(math.exp(cosine(z[i], z[(i + n) % (2 * n)]) / temperature) / sum(others))
    return total / (2 * n)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.05, 0.2, 1.0]))
def test_it_is_the_formula(seed, n, temperature):
    z1, z2 = views(seed, n)
    loss = nt_xent(z1, z2, temperature)
    assert loss.item() == pytest.approx(by_loops(z1.detach(), z2.detach(), temperature), rel=1e-10, abs=1e-10)
    if n > 1:
        loss.backward()
        assert z1.grad.abs().max() > 0 and z2.grad.abs().max() > 0


def test_it_is_lightlys():
    theirs = pytest.importorskip("lightly.loss").NTXentLoss(temperature=0.2)
    z1, z2 = views(0, 8, torch.float32)
    torch.testing.assert_close(nt_xent(z1, z2, 0.2), theirs(z1, z2))


def test_autocast_changes_nothing():
    z1, z2 = views(0, 8, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, found = nt_xent(z1, z2, 0.1), find(z1, z2, 0.1)
    assert torch.equal(inside, nt_xent(z1, z2, 0.1)) and torch.equal(found, find(z1, z2, 0.1))
    assert nt_xent(z1.bfloat16(), z2.bfloat16(), 0.1).dtype == torch.float32


def test_the_teacher_is_found_among_the_batch_and_gets_no_gradient():
    network = SimClr(toys.SPEC, toys.SPEC.subnet_widths, toys.HEADS, Contrast(temperature=0.5))
    (s1, s2), (t1, t2) = views(1), views(2)
    loss = siamkd_loss([s1, s2], [t1, t2], network.match)

    def one(s, t):
        s, t = (x / x.norm(dim=1, keepdim=True) for x in (s, t))
        e = torch.exp(s @ t.T / 0.5)
        return -torch.log(e.diag() / e.sum(1)).mean()

    torch.testing.assert_close(loss, (one(s2, t1) + one(s1, t2)) / 2)
    loss.backward()
    assert s1.grad is not None and t1.grad is None and t2.grad is None


def test_there_is_no_predictor():
    network = SimClr(toys.SPEC, toys.SPEC.subnet_widths, toys.HEADS)
    z, p, t = network(torch.randn(3, 3, 16, 16))
    assert p is z and torch.equal(t, z) and not t.requires_grad
    assert not [name for name, _ in network.named_parameters() if "predictor" in name]


@pytest.mark.parametrize("temperature", [0, 0.0, -1.0])
def test_a_temperature_is_positive(temperature, tmp_path, monkeypatch):
    from sdr.base.params import load

    (tmp_path / "params.yaml").write_text(f"simclr: {{temperature: {temperature}}}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="`simclr.temperature`: input should be"):
        load(simclr=Contrast)
