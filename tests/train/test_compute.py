"""Settings of a device do what they say."""

import os

import pytest
import torch

from sdr.train.compute import autocast, determinism, place
from tests.train.toys import PLAIN, compute


def test_settings_go_by_the_kind_of_device():
    settings = compute().model_copy(update={"cuda": PLAIN.model_copy(update={"bf16": True})})
    assert settings.on(torch.device("cuda:3")).bf16 and not settings.on(torch.device("cpu")).bf16


@pytest.mark.parametrize("wanted", [True, False])
def test_bfloat16_where_it_is_wanted(wanted):
    with autocast(torch.device("cpu"), wanted):
        found = torch.nn.Linear(4, 4)(torch.ones(2, 4))
    assert found.dtype == (torch.bfloat16 if wanted else torch.float32)


@pytest.mark.parametrize("wanted", [True, False])
def test_memory_layout(wanted):
    network = place(torch.nn.Conv2d(3, 8, 3), torch.device("cpu"), PLAIN.model_copy(update={"channels_last": wanted}))
    assert network.weight.is_contiguous(memory_format=torch.channels_last) == wanted


def test_determinism_is_for_the_block(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    for wanted in (True, False):
        with determinism(wanted):
            assert torch.are_deterministic_algorithms_enabled() == wanted
            assert torch.backends.cudnn.benchmark != wanted
        assert not torch.are_deterministic_algorithms_enabled()
    assert os.environ.pop("CUBLAS_WORKSPACE_CONFIG") == ":4096:8"
