"""Signs of trouble: when each is told, when not, and what it says to change."""

import numpy as np
import pytest

from sdr.train.probe import Probe, Probing
from sdr.train.signs import FEWEST_STEPS, LOOKS, falling_rank, few_steps, flat_loss
from tests.train.toys import Noise, baseline_job, sdr_job


def looks(*courses: np.ndarray) -> list[dict]:
    """A history of networks that take turns."""
    return [
        {"step": 10 * step, "network": str(network), "ssl": float(loss)}
        for step, losses in enumerate(zip(*courses))
        for network, loss in enumerate(losses)
    ]


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n)


def test_less_than_one_epoch():
    (line,) = few_steps(baseline_job(epochs=0.6))
    assert line == "pretrain: 3 steps see 60.0% of the 40 images: raise pretrain.epochs to 1 at least"


def test_few_steps_for_any_corpus():
    (line,) = few_steps(sdr_job())
    assert line.startswith(
        "train_sdr: 20 steps are few for any corpus: raise sdr.epochs, or lower sdr.optimization.batch_size (8)"
    )
    epochs = FEWEST_STEPS * 8 / 40
    assert len(list(few_steps(baseline_job(epochs=epochs - 0.2)))) == 1 and not list(
        few_steps(baseline_job(epochs=epochs))
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("networks", [1, 3])
def test_a_loss_that_only_trembles_is_flat_and_one_that_falls_is_not(seed, networks):
    n = 80
    level = [float(network) for network in range(networks)]  # each has its own
    still = [at + noise(n, 10 * seed + i) for i, at in enumerate(level)]
    falling = [course - np.linspace(0, 0.3, n) for course in still]
    rising = [course + np.linspace(0, 0.3, n) for course in still]
    said = [len(list(flat_loss(baseline_job(), looks(*courses)))) for courses in (falling, rising)]
    assert said == [0, 1]
    (line,) = flat_loss(baseline_job(), looks(*[np.full(n, at) for at in level]))
    assert (
        line
        == "pretrain: the loss has not fallen since the beginning: try a third or three times pretrain.optimization.lr"
    )


def test_a_flat_loss_is_called_flat_nearly_always():
    found = [bool(list(flat_loss(baseline_job(), looks(noise(80, seed))))) for seed in range(200)]
    assert np.mean(found) > 0.95  # a fall of two standard errors by chance: 2.3 %


def test_networks_that_take_turns_are_not_mixed_up():
    """One network of a low loss early and one of a high loss late: neither falls."""
    low, high = looks(np.full(40, 1.0)), looks(np.full(40, 3.0))
    late = [row | {"step": 400 + row["step"], "network": "1"} for row in low]
    assert len(list(flat_loss(baseline_job(), high + late))) == 1


def test_too_few_looks_and_the_warm_up_say_nothing():
    flat = looks(np.full(LOOKS, 1.0))
    assert list(flat_loss(baseline_job(), flat)) and not list(flat_loss(baseline_job(), flat[1:]))
    slow = baseline_job().optimization.model_copy(update={"warmup_epochs": 40.0})  # 200 of the steps
    assert not list(flat_loss(baseline_job(optimization=slow), flat))
    assert list(flat_loss(baseline_job(optimization=slow), looks(np.full(LOOKS + 1, 1.0))))


def ranks(*values: float, network: str = "W0") -> list[dict]:
    return [{"network": network, "rank": value} for value in values]


def test_a_rank_that_has_fallen():
    (line,) = falling_rank(sdr_job(), ranks(10, 40, 19))
    assert line.startswith(
        "train_sdr: the effective rank of network W0 fell from 40.0 to 19.0: its projections collapse; lower sdr.opt"
    )
    assert not list(falling_rank(sdr_job(), ranks(10, 40, 21))) and not list(falling_rank(sdr_job(), ranks(1)))
    assert not list(falling_rank(sdr_job(), ranks(40, network="3") + ranks(10, 12)))  # another network's


def test_each_sign_is_told_once_in_one_line(capsys):
    probe = Probe(Probing(every=1, images=8, tasks=[]), baseline_job(), Noise())
    for _ in range(2):
        probe._tell(falling_rank, baseline_job(), ranks(40, 10))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("warning: pretrain: 10 steps are few")
    assert lines[1].startswith("warning: pretrain: the effective rank")
